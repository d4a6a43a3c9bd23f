/** The drawings. `base`, `dark` and `light` are shades of the product's colour; the rest is wood, wax, leaf and metal. */

import type { ReactNode } from "react";

export const SHAPES: Readonly<Record<string, ReactNode>> = {
  lamp: (
    <>
      <ellipse className="glow" cx="100" cy="122" rx="70" ry="26" />
      <path className="wood" d="M95 104h10v46h-10z" />
      <path className="wood-dark" d="M70 166c0-12 14-18 30-18s30 6 30 18q-30 5-60 0Z" />
      <path className="base" d="M68 40q32-6 64 0l24 64q-56 11-112 0Z" />
      <path className="light" d="M76 43q8-2 16-2l-8 65q-14 0-26-2Z" opacity=".6" />
      <path className="dark" d="M44 104q56 11 112 0l-2-5q-54 10-108 0Z" />
    </>
  ),
  pendant: (
    <>
      <ellipse className="glow" cx="100" cy="146" rx="66" ry="30" />
      <path className="cord" d="M100 -4v58" />
      <path className="metal" d="M91 52h18l3 14H88Z" />
      <path className="base" d="M34 130c0-44 30-66 66-66s66 22 66 66Z" />
      <path className="light" d="M52 122c2-30 16-46 36-52-30 4-46 24-48 52Z" opacity=".7" />
      <ellipse className="dark" cx="100" cy="130" rx="66" ry="11" />
      <ellipse className="bulb" cx="100" cy="133" rx="24" ry="8" />
    </>
  ),
  candle: (
    <>
      <circle className="glow" cx="100" cy="58" r="44" />
      <path className="base" d="M60 90h80v64q0 14-14 14H74q-14 0-14-14Z" />
      <path className="light" d="M68 98h10v58q-10-2-10-12Z" opacity=".6" />
      <path className="cream" d="M80 116h40v30H80z" />
      <path className="dark" d="M86 124h28v3H86zm4 8h20v3H90z" />
      <ellipse className="dark" cx="100" cy="90" rx="40" ry="9" />
      <ellipse className="cream" cx="100" cy="92" rx="34" ry="6.5" />
      <path className="cord" d="M100 92V78" />
      <path className="flame" d="M100 44c11 14 13 20 13 25a13 13 0 0 1-26 0c0-5 5-12 13-25Z" />
    </>
  ),
  mug: (
    <>
      <path className="handle" d="M128 84c36-6 36 54-2 50" />
      <path className="base" d="M54 64h80l-4 92q-1 12-13 12H71q-12 0-13-12Z" />
      <path className="light" d="M54 64h80l-1 22c-10 8-16-2-24 4s-14 12-24 4-18 6-30-4Z" opacity=".75" />
      <path className="light" d="M66 104h8l2 50q-7-1-8-8Z" opacity=".45" />
      <ellipse className="dark" cx="94" cy="64" rx="40" ry="9" />
      <ellipse className="coffee" cx="94" cy="66" rx="33" ry="6" />
    </>
  ),
  bowl: (
    <>
      <path className="dark" d="M74 156h52l4 12H70Z" />
      <path className="base" d="M24 92c4 50 44 70 76 70s72-20 76-70Z" />
      <path className="light" d="M36 102c6 34 30 50 50 55-28-12-38-32-40-55Z" opacity=".7" />
      <path className="dark" d="M28 112q72 26 144 0l-2 8q-70 24-140 0Z" opacity=".35" />
      <ellipse className="dark" cx="100" cy="92" rx="76" ry="16" />
      <ellipse className="light" cx="100" cy="94" rx="66" ry="11" opacity=".55" />
    </>
  ),
  teapot: (
    <>
      <path className="handle" d="M66 78C62 24 138 24 134 78" />
      <path className="base" d="M138 116c18-2 24-16 34-32l10 6c-8 26-16 46-44 52Z" />
      <path className="base" d="M42 122c0-32 28-46 58-46s58 14 58 46c0 30-24 46-58 46s-58-16-58-46Z" />
      <path className="light" d="M54 118c2-18 14-28 30-32-22 2-36 14-38 34 0 16 8 28 18 34-6-8-11-20-10-36Z" opacity=".7" />
      <ellipse className="dark" cx="100" cy="80" rx="34" ry="8" />
      <path className="base" d="M70 78c2-14 58-14 60 0q-30 8-60 0Z" />
      <circle className="wood" cx="100" cy="63" r="8" />
    </>
  ),
  carafe: (
    <>
      <path className="base" d="M80 34h40l-6 46c0 18 30 28 30 60 0 20-14 28-44 28s-44-8-44-28c0-32 30-42 30-60Z" opacity=".55" />
      <path className="base" d="M59 128q40 10 82 0c6 30-4 40-41 40s-48-10-41-40Z" opacity=".8" />
      <ellipse className="light" cx="100" cy="129" rx="41" ry="6" opacity=".8" />
      <path className="light" d="M90 42h7l-2 42c-2 18-24 28-26 52-4-30 20-38 22-54Z" opacity=".85" />
      <ellipse className="dark" cx="100" cy="34" rx="20" ry="5" />
    </>
  ),
  vase: (
    <>
      <path className="stem" d="M98 92C96 70 84 52 74 36M100 92c0-30 2-48 6-66M102 92c4-24 14-36 28-46" />
      <path className="leaf" d="M86 62c-14 2-22-4-26-14 14-2 22 4 26 14ZM112 68c2-14 10-20 22-22-2 14-10 20-22 22Z" />
      <circle className="light" cx="73" cy="33" r="9" />
      <circle className="flame" cx="106" cy="22" r="10" />
      <circle className="light" cx="132" cy="44" r="8" />
      <path className="base" d="M84 88h32c-2 20 28 28 28 54 0 18-16 26-44 26s-44-8-44-26c0-26 30-34 28-54Z" />
      <path className="light" d="M92 92h7c0 24-26 30-28 54-10-30 20-34 21-54Z" opacity=".6" />
      <ellipse className="dark" cx="100" cy="88" rx="16" ry="4.5" />
    </>
  ),
  cushion: (
    <>
      <path className="dark" d="M30 60q4-18 20-14 50 8 100 0 16-4 20 14 6 46 0 92-4 18-20 14-50-8-100 0-16 4-20-14-6-46 0-92Z" />
      <path className="base" d="M36 62q3-13 15-10 49 8 98 0 12-3 15 10 6 44 0 88-3 13-15 10-49-8-98 0-12 3-15-10-6-44 0-88Z" />
      <path className="stripe" d="M58 58q5 48 0 98M72 59q4 47 0 96M142 58q-5 48 0 98M128 59q-4 47 0 96" />
      <path className="light" d="M84 74q16-4 32 0-10 10-16 10t-16-10Z" opacity=".5" />
    </>
  ),
  planter: (
    <>
      <path className="leaf-dark" d="M100 96C70 84 52 60 50 34c30 8 48 32 50 62Zm0 0c30-12 48-36 50-62-30 8-48 32-50 62Z" />
      <path className="leaf" d="M100 98C84 74 84 44 100 14c16 30 16 60 0 84Zm-2 0C74 96 50 86 38 66c28-2 50 8 60 32Zm4 0c24-2 48-12 60-32-28-2-50 8-60 32Z" />
      <path className="vein" d="M100 24v70" />
      <ellipse className="dark" cx="100" cy="166" rx="46" ry="6" />
      <path className="base" d="M60 104h80l-10 60q-30 4-60 0Z" />
      <path className="dark" d="M61 112h78l-1 6H62Z" opacity=".5" />
      <path className="base" d="M54 94h92v18H54z" />
      <path className="light" d="M60 96h12v15H60zm8 22h9l5 44h-7Z" opacity=".55" />
    </>
  ),
  notebook: (
    <g transform="rotate(-7 100 100)">
      <path className="cream" d="M58 42h92v124H58z" />
      <path className="dark" d="M50 36h92q6 0 6 6v116q0 6-6 6H50z" />
      <path className="base" d="M64 36h78q6 0 6 6v116q0 6-6 6H64z" />
      <path className="light" d="M134 36h6v128h-6z" opacity=".75" />
      <path className="cream" d="M78 62h42v30H78z" />
      <path className="dark" d="M84 70h30v3H84zm0 9h20v3H84z" />
    </g>
  ),
  clock: (
    <>
      <path className="wood-dark" d="M64 148l-12 18h10l14-12Zm72 0l12 18h-10l-14-12Z" />
      <circle className="wood" cx="100" cy="98" r="66" />
      <circle className="base" cx="100" cy="98" r="56" />
      <path className="light" d="M52 90a50 50 0 0 1 40-42c-20 8-32 24-34 44Z" opacity=".6" />
      <path className="mark" d="M100 50v7M100 139v7M52 98h7M141 98h7" />
      <path className="hand" d="M100 98L78 76M100 98l30-14" />
      <circle className="hub" cx="100" cy="98" r="5" />
    </>
  ),
};
