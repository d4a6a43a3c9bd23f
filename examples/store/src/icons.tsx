/** Icons, drawn in the colour of the text around them. */

const PATHS = {
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Zm5-1.5L20 20",
  bag: "M5 8h14l1 12H4L5 8Zm3.5 0V7a3.5 3.5 0 0 1 7 0v1",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  back: "M14.5 6L8.5 12l6 6",
  filter: "M4 7h16M7 12h10M10 17h4",
  box: "M4 8l8-4 8 4v8l-8 4-8-4V8Zm0 0l8 4m0 0l8-4m-8 4v8",
  mail: "M4 6h16v12H4V6Zm0 1l8 6 8-6",
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" />
      <path d="M8 25V15a8 8 0 0 1 16 0v10" />
      <circle cx="16" cy="20" r="3.2" />
    </svg>
  );
}
