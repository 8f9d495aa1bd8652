// Reads an Adaptive Card with Microsoft's own reader, and says what it does not understand.
globalThis.self = globalThis.window = globalThis;
const path = require("path");
const reader = require(path.join(process.argv[2], "adaptivecards/dist/adaptivecards.js"));
const card = JSON.parse(require("fs").readFileSync(0, "utf8"));
const context = new reader.SerializationContext();
const read = new reader.AdaptiveCard();
read.parse(card, context);
const events = [...Array(context.eventCount).keys()].map((nth) => context.getEventAt(nth).message);
console.log(JSON.stringify({ items: read.getItemCount(), events }));
