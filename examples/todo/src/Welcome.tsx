import { useActionState, useId } from "react";
import { Logo } from "./icons.tsx";
import { useRoute } from "./route.ts";
import { signIn } from "./session.ts";

export function Welcome() {
  const id = useId();
  const { listId } = useRoute();
  const [problem, enter, entering] = useActionState(async (_before: string | null, form: FormData) => {
    try {
      await signIn(String(form.get("name")).trim());
      return null;
    } catch {
      return "The server cannot be reached. Try again in a moment.";
    }
  }, null);

  return (
    <main className="welcome">
      <form action={enter} className="card">
        <Logo />
        <h1>{listId === null ? "Lists for people who do things together" : "You are invited to a list"}</h1>
        <p className="muted">What one of you writes the others see at once. Without a network it is sent when you are back.</p>
        <label htmlFor={id}>Your name</label>
        <div className="field">
          <input id={id} name="name" pattern=".*\S.*" maxLength={24} autoComplete="given-name" required autoFocus />
          <button type="submit" className="primary" disabled={entering}>Start</button>
        </div>
        {problem !== null && <p className="problem" role="alert">{problem}</p>}
      </form>
    </main>
  );
}
