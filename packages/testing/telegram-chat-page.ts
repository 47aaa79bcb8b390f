/** A page on which a person talks to the bot without an account. Texts are set as text, never as HTML. */
export const chatPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Telegram stand-in</title>
<style>
  body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 42rem; padding: 1rem; background: #e7ebf0; color: #16202a }
  #log { display: flex; flex-direction: column; gap: .4rem; min-height: 60vh }
  .m { max-width: 85%; padding: .5rem .7rem; border-radius: .7rem; background: #fff; white-space: pre-wrap; overflow-wrap: anywhere }
  .me { align-self: flex-end; background: #e0ffc7 }
  .m small { color: #6b7885 } .m button { margin: .4rem .3rem 0 0 }
  form { display: flex; gap: .5rem; position: sticky; bottom: 0; padding: .6rem 0; background: #e7ebf0 }
  form input[name=text] { flex: 1 } input, button { font: inherit; padding: .4rem .6rem }
</style></head><body>
<div id="log" aria-live="polite"></div>
<form><input name="user" size="5" value="1000001" aria-label="Your user id"><input name="text" placeholder="/start" aria-label="Message" autofocus><button>Send</button></form>
<script>
  const form = document.querySelector("form"), log = document.querySelector("#log");
  const user = () => Number(form.user.value);
  const post = (path, body) => fetch("/__control" + path, { method: "POST", body: JSON.stringify(body) });
  let shown = "";
  function add(message) {
    const box = document.createElement("div");
    box.className = message.from === "bot" ? "m" : "m me";
    box.append(message.text + (message.document ? "\\n[" + message.document.name + "]\\n" + message.document.content : ""));
    for (const button of (message.keyboard?.inline_keyboard ?? []).flat()) {
      const key = document.createElement("button");
      key.textContent = button.text;
      key.onclick = () => button.url ? open(button.url) : post("/presses", { chatId: message.chatId, userId: user(), messageId: message.messageId, data: button.callback_data });
      box.append(document.createElement("br"), key);
    }
    log.append(box);
  }
  async function look() {
    const text = await (await fetch("/__control/messages?chatId=" + user())).text();
    if (text !== shown) { shown = text; log.replaceChildren(); JSON.parse(text).forEach(add); scrollTo(0, document.body.scrollHeight); }
    setTimeout(look, 500);
  }
  form.onsubmit = (event) => { event.preventDefault(); if (form.text.value) post("/messages", { chatId: user(), userId: user(), text: form.text.value }); form.text.value = ""; };
  look();
</script></body></html>
`;
