/** The shop's rows and functions with their types, which `pylon` generates from app.ts and functions/. */

import { createTypedDb } from "@pylonsync/react";
import type { AppSchema } from "../pylon.client.ts";

export type { CartItem, Email, Order, OrderLine, Product } from "../pylon.client.ts";

export const db = createTypedDb<AppSchema>();
