/** The testing library on a page. Import it before React. */

import "./window.ts";

export { act, cleanup, render, renderHook, waitFor } from "@testing-library/react";
export { renderToString } from "react-dom/server";
