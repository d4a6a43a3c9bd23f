/** The entry: who we are, and then the shop. */

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.tsx";
import { Door } from "./Door.tsx";
import { NoticeKeeper } from "./Notices.tsx";

const root = document.getElementById("app");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Door>
        <NoticeKeeper>
          <App />
        </NoticeKeeper>
      </Door>
    </StrictMode>,
  );
}
