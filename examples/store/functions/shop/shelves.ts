/** What the shop begins with: twelve kinds of things, each in five versions. */

export interface NewProduct {
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly maker: string;
  readonly colour: string;
  readonly shape: string;
  readonly priceCents: number;
  readonly stock: number;
  readonly sold: number;
}

/** Maker, colour, and how its price compares to the kind's. */
type Version = readonly [line: string, maker: string, colour: string, factor: number];

interface Kind {
  readonly shape: string;
  readonly noun: string;
  readonly category: string;
  readonly priceCents: number;
  readonly about: string;
  readonly versions: readonly Version[];
}

const KINDS: readonly Kind[] = [
  {
    shape: "lamp", noun: "table lamp", category: "Light", priceCents: 8_900,
    about: "A linen shade on a turned foot, with a dimmer in the cord. Warm enough to read by, quiet enough to leave on.",
    versions: [
      ["Dusk", "Studio Ono", "clay", 1], ["Heath", "Alder & Ash", "moss", 1.1], ["Harbour", "Tidewater", "sky", 0.9],
      ["Ember", "Kiln Nine", "mustard", 1], ["Vesper", "Studio Ono", "plum", 1.2],
    ],
  },
  {
    shape: "pendant", noun: "pendant", category: "Light", priceCents: 12_400,
    about: "Spun from one sheet of metal and painted by hand. It hangs low over a table and keeps the glare off your eyes.",
    versions: [
      ["Bell", "Studio Ono", "ink", 1], ["Dome", "Fernworks", "moss", 1.05], ["Orchard", "Alder & Ash", "mustard", 0.95],
      ["Fathom", "Tidewater", "sky", 1.15], ["Chapel", "Studio Ono", "chalk", 1.2],
    ],
  },
  {
    shape: "candle", noun: "candle", category: "Light", priceCents: 2_200,
    about: "Rapeseed wax in a pot that outlives it. Burns for some forty hours and smells of very little, as it should.",
    versions: [
      ["Hay", "Fernworks", "sand", 1], ["Fig leaf", "Fernworks", "moss", 1], ["Damson", "Brae", "plum", 1.1],
      ["Sea mist", "Tidewater", "sky", 1], ["Chimney", "Kiln Nine", "ink", 1.2],
    ],
  },
  {
    shape: "mug", noun: "mug", category: "Table", priceCents: 1_900,
    about: "Stoneware with a glaze that breaks over the rim. The handle takes three fingers, the dishwasher takes the mug.",
    versions: [
      ["Morning", "Kiln Nine", "clay", 1], ["Pebble", "Kiln Nine", "chalk", 1], ["Bracken", "Brae", "moss", 1.1],
      ["Squall", "Tidewater", "sky", 1.05], ["Midnight", "Brae", "ink", 1.15],
    ],
  },
  {
    shape: "bowl", noun: "serving bowl", category: "Table", priceCents: 3_600,
    about: "Wide enough for a salad for six, low enough to see over. Thrown on the wheel, so no two are quite alike.",
    versions: [
      ["Tideline", "Tidewater", "sky", 1], ["Furrow", "Kiln Nine", "clay", 1.1], ["Lichen", "Brae", "moss", 1],
      ["Sunday", "Kiln Nine", "mustard", 0.95], ["Plain", "Studio Ono", "chalk", 1.2],
    ],
  },
  {
    shape: "teapot", noun: "teapot", category: "Table", priceCents: 5_400,
    about: "Holds four cups, pours without a drip, and the lid stays on when you tilt it. We tried it for a whole winter.",
    versions: [
      ["Parlour", "Kiln Nine", "plum", 1], ["Meadow", "Fernworks", "moss", 1], ["Smoke", "Studio Ono", "ink", 1.25],
      ["Biscuit", "Brae", "sand", 0.95], ["Terra", "Kiln Nine", "clay", 1.05],
    ],
  },
  {
    shape: "carafe", noun: "carafe", category: "Table", priceCents: 3_200,
    about: "Blown glass, tinted in the melt, with a waist made for wet hands. A litre to the shoulder.",
    versions: [
      ["Brook", "Tidewater", "sky", 1], ["Bottle", "Fernworks", "moss", 1], ["Amber", "Studio Ono", "mustard", 1.15],
      ["Sloe", "Brae", "plum", 1.1], ["Clear", "Tidewater", "chalk", 0.9],
    ],
  },
  {
    shape: "vase", noun: "vase", category: "Room", priceCents: 4_200,
    about: "Narrow at the neck, so that five stems already look like a bunch. Glazed inside, raw to the touch outside.",
    versions: [
      ["Dune", "Brae", "sand", 1], ["Rust", "Kiln Nine", "clay", 1.05], ["Indigo", "Studio Ono", "ink", 1.2],
      ["Plume", "Fernworks", "plum", 1], ["Glacier", "Tidewater", "sky", 1.1],
    ],
  },
  {
    shape: "cushion", noun: "cushion", category: "Room", priceCents: 4_800,
    about: "Washed wool outside, old-fashioned feathers inside. The seams are bound, so it can be sat on for years.",
    versions: [
      ["Ridge", "Brae", "moss", 1], ["Barley", "Alder & Ash", "mustard", 1], ["Rosehip", "Fernworks", "clay", 0.95],
      ["Storm", "Brae", "ink", 1.1], ["Oat", "Alder & Ash", "sand", 0.9],
    ],
  },
  {
    shape: "planter", noun: "planter", category: "Room", priceCents: 3_900,
    about: "Breathes like clay should and stands on its own saucer. Sold without the plant, which you surely have.",
    versions: [
      ["Patio", "Kiln Nine", "clay", 1], ["Glasshouse", "Fernworks", "chalk", 1.1], ["Gully", "Brae", "sky", 1],
      ["Courtyard", "Fernworks", "mustard", 1.05], ["Nightshade", "Studio Ono", "plum", 1.2],
    ],
  },
  {
    shape: "notebook", noun: "notebook", category: "Desk", priceCents: 1_600,
    about: "A hundred and sixty pages that take ink on both sides, sewn so that it lies flat. Numbered, for those who look things up.",
    versions: [
      ["Field", "Alder & Ash", "moss", 1], ["Ledger", "Alder & Ash", "ink", 1.1], ["Margin", "Studio Ono", "clay", 1],
      ["Log", "Tidewater", "sky", 1], ["Almanac", "Alder & Ash", "mustard", 1.2],
    ],
  },
  {
    shape: "clock", noun: "clock", category: "Desk", priceCents: 6_800,
    about: "No numbers, no ticking, a hand for the hours and one for the minutes. Solid ash, and a battery once in two years.",
    versions: [
      ["Noon", "Alder & Ash", "chalk", 1], ["Siesta", "Studio Ono", "clay", 1.1], ["Watch", "Tidewater", "sky", 1],
      ["Curfew", "Alder & Ash", "ink", 1.05], ["Recess", "Studio Ono", "mustard", 0.95],
    ],
  },
];

/** The last of them, so that it can be seen how a shop sells out. */
const SCARCE: Readonly<Record<string, number>> = { "Vesper table lamp": 1, "Smoke teapot": 2, "Nightshade planter": 0 };

export function shelves(): NewProduct[] {
  return KINDS.flatMap(({ shape, noun, category, priceCents, about, versions }, kind) =>
    versions.map(([line, maker, colour, factor], version) => {
      const name = `${line} ${noun}`;
      return {
        name, maker, colour, category, shape,
        description: about,
        priceCents: Math.round((priceCents * factor) / 100) * 100,
        stock: SCARCE[name] ?? 8 + ((kind * 7 + version * 5) % 17),
        sold: (kind * 31 + version * 47) % 90,
      };
    }),
  );
}
