/** Runs before the test files of `pylon test`: lets them, and functions they import, import this package uninstalled. */

import { providePackages } from "../self-import";
import * as testing from "./index";

providePackages(process.cwd(), { "/testing": testing });
