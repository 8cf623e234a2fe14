// Greets the user: a workflow that acts on one ticket.

import * as ticket from "agent:workflow/ticket@0.1.0";

// What becomes of a failed run: `code` is for programs, `text` for people.
class Failed extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

function greet({ user }) {
  if (ticket.messageCount() === 0) {
    throw new Failed("nothing-said", "the user has said nothing yet");
  }
  ticket.learn(JSON.stringify({ user }));
  ticket.decide(JSON.stringify({ action: "greet" }));
  return { text: `Hello, ${user}.` };
}

export const handler = {
  run(input) {
    try {
      return { output: JSON.stringify(greet(JSON.parse(input))), afterwards: "keep-alive" };
    } catch (error) {
      // What is thrown as it is would end the run as a trap, without its text.
      throw { code: error.code ?? "failed", text: String(error.message ?? error), tryAgain: false };
    }
  },
};
