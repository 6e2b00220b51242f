/**
 * Envoy's reason for a refusal without the message that it is about, which Envoy puts into some reasons as a whole: credentials that a
 * route holds would go with it into statuses and logs. The marker is protobuf's own for messages that are printed for people
 * (`goo.gle/debugstr`); where the end of the message cannot be told, all that follows is left out.
 */
export function wordsOfRefusal(error: string): string {
  return error.replace(/goo\.gle\/debug[\s\S]*?(?:\n\s*: |$)/g, "");
}
