import { describe, expect, test } from "bun:test";
import { catalogueHref, EVERYTHING, parse, type Selection } from "../src/route.ts";

describe("addresses of the catalogue", () => {
  test.each<[string, Selection]>([
    ["everything", EVERYTHING],
    ["words with signs", { ...EVERYTHING, words: "blue & white? 100%" }],
    [
      "all at once",
      { words: "mug", facets: { category: "Table", colour: "sky", maker: "Alder & Ash" }, inStock: true, sort: "cheapest" },
    ],
  ])("say it all: %s", (_, selection) => {
    expect(parse(catalogueHref(selection))).toEqual({ page: "catalogue", selection });
  });

  test.each(["", "#", "#/", "#/?sort=toString", "#/nowhere"])("%p is the whole catalogue", (hash) => {
    expect(parse(hash)).toEqual({ page: "catalogue", selection: EVERYTHING });
  });
});

test("the other pages", () => {
  expect(parse("#/product/p1")).toEqual({ page: "product", id: "p1" });
  expect(parse("#/pay/o1")).toEqual({ page: "pay", id: "o1" });
  expect(parse("#/checkout")).toEqual({ page: "checkout" });
});
