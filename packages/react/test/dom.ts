/** The testing library on a page. Import it before React. */

import "./window.ts";

import { configure } from "@testing-library/react";

// Machines are busy at times; what comes soon is not waited for any longer.
configure({ asyncUtilTimeout: 5000 });

export { act, cleanup, render, renderHook, waitFor } from "@testing-library/react";
export { renderToString } from "react-dom/server";
