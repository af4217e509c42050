// Shows the phones of the sandbox and lets a person use them. Each change comes as a server-sent
// event with the whole phone; what is on the page already is kept, so that focus stays put.

const phones = new Map();
let clock = 0; // The network's time minus this page's, in milliseconds.

const ENDS = {
  finished: ["Call", ""],
  declined: ["Declined", "bad"],
  missed: ["Missed call", "bad"],
  cancelled: ["Call given up", ""],
  failed: ["Call failed", "bad"],
};
const OUT_ENDS = { ...ENDS, missed: ["No answer", "bad"], declined: ["Busy or declined", "bad"] };
const IN_ENDS = { ...ENDS, cancelled: ["Missed call", "bad"] };

function make(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function pretty(number) {
  if (!number) return "Hidden number";
  return number
    .replace(/^(\+1)(\d{3})(\d{3})(\d{4})$/, "$1 $2 $3 $4")
    .replace(/^(\+44)(\d{4})(\d{6})$/, "$1 $2 $3")
    .replace(/^(\+33)(\d)(\d\d)(\d\d)(\d\d)(\d\d)$/, "$1 $2 $3 $4 $5 $6");
}

function length(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

function time(ms) {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

class Phone {
  constructor(root, view) {
    this.root = root;
    this.view = view;
    this.shown = new Map(); // What is in the thread, by id: its nodes.
    this.edited = false; // Whether the person chose whom to write to.
    this.keypad = false;
    this.asked = false; // Whether the call waits for a key.
    this.callId = null;
    this.last = null;
    this.part = (name) => root.querySelector(`[data-${name}]`);
    this.button = (act) => root.querySelector(`[data-act="${act}"]`);
    this.listen();
  }

  listen() {
    this.part("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.part("words").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.send();
      }
    });
    this.part("to").addEventListener("input", () => {
      this.edited = this.part("to").value.trim() !== "";
      this.fault("");
      this.mark();
    });
    this.part("to").addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.part("words").focus();
    });
    this.button("attach").addEventListener("click", () => this.part("file").click());
    this.part("file").addEventListener("change", () => this.sendPicture());
    this.button("dial").addEventListener("click", () => this.dial());
    this.button("answer").addEventListener("click", () => {
      this.button("end").focus();
      this.act("answer");
    });
    this.button("end").addEventListener("click", () => {
      this.act(this.call()?.stage === "ringing" ? "decline" : "hang_up");
    });
    this.button("keypad").addEventListener("click", () => {
      this.keypad = !this.keypad;
      this.keys();
    });
    for (const key of "123456789*0#") {
      const button = make("button", key);
      button.type = "button";
      button.setAttribute("aria-label", { "*": "star", "#": "hash" }[key] ?? key);
      button.addEventListener("click", () => this.act("press", { key }));
      this.part("keys").append(button);
    }
  }

  call() {
    return this.view.calls.findLast((call) => call.stage !== "ended");
  }

  /** Whose number that is, as far as this phone was told. */
  label(number) {
    return this.view.contacts.find((contact) => contact.number === number)?.label;
  }

  to() {
    return this.part("to").value.replace(/[\s().-]/g, "");
  }

  fault(words) {
    this.part("error").textContent = words;
  }

  async post(path, body) {
    try {
      const answer = await fetch(`/sandbox/api/phones/${this.view.id}/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const json = await answer.json();
      this.fault(answer.ok ? "" : `That did not work: ${json.error}.`);
      return answer.ok;
    } catch {
      this.fault("The sandbox can’t be reached.");
      return false;
    }
  }

  /** Whom the person wrote, or nothing after saying what is wrong. */
  target() {
    const to = this.to();
    if (/^\+[1-9]\d{6,14}$/.test(to)) return to;
    this.fault(to ? "A number is a plus sign and 7 to 15 digits." : "Whom to? Enter a number.");
    this.part("to").focus();
    return null;
  }

  async send() {
    const words = this.part("words");
    const text = words.value.trim();
    if (!text) return;
    const to = this.target();
    if (!to) return;
    words.value = "";
    if (!(await this.post("text", { to, text })) && !words.value) words.value = text;
  }

  /** Gives a picture to the network and texts its address, with the words that stand there. */
  async sendPicture() {
    const [file] = this.part("file").files;
    this.part("file").value = "";
    const to = file && this.target();
    if (!to) return;
    let picture;
    try {
      const answer = await fetch("/sandbox/api/pictures", {
        method: "POST",
        headers: { "content-type": file.type },
        body: file,
      });
      picture = await answer.json();
      if (!answer.ok) return this.fault(`That did not work: ${picture.error}.`);
    } catch {
      return this.fault("The sandbox can’t be reached.");
    }
    const words = this.part("words");
    const text = words.value.trim();
    words.value = "";
    const sent = await this.post("text", { to, text, media: [picture.url] });
    if (!sent && !words.value) words.value = text;
    this.button("attach").focus();
  }

  async dial() {
    const to = this.target();
    if (to && (await this.post("dial", { to }))) this.wantsFocus = true;
    this.update(this.view);
  }

  async act(act, more = {}) {
    const call = this.call();
    if (call) await this.post(act, { call: call.id, ...more });
  }

  update(view) {
    this.view = view;
    this.root.setAttribute("aria-label", view.name);
    this.part("name").textContent = view.name;
    this.part("initial").textContent = [...view.name][0] ?? "";
    this.part("number").textContent = pretty(view.number);
    this.thread();
    this.suggest();
    this.contacts();
    this.panel();
  }

  /** Texts and ended calls by time, each drawn once and then only changed. */
  thread() {
    const box = this.part("thread");
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
    const items = [
      ...this.view.texts.map((text) => ({ at: text.at_ms, text })),
      ...this.view.calls
        .filter((call) => call.stage === "ended")
        .map((call) => ({ at: call.ended_at_ms, call })),
    ].sort((a, b) => a.at - b.at);
    const ids = new Set(items.map(({ text, call }) => (text ?? call).id));
    for (const [id, nodes] of this.shown) {
      if (ids.has(id)) continue;
      for (const node of Object.values(nodes)) node.remove();
      this.shown.delete(id);
    }
    let grown = false;
    for (const { text, call } of items) {
      const id = (text ?? call).id;
      let nodes = this.shown.get(id);
      if (!nodes) {
        nodes = text ? this.bubble(text) : this.past(call);
        this.shown.set(id, nodes);
        box.append(...Object.values(nodes));
        grown = true;
      }
      if (text) this.meta(nodes.meta, text);
    }
    this.part("hush").hidden = items.length > 0;
    if (grown && atEnd) box.scrollTop = box.scrollHeight;
  }

  bubble(text) {
    const nodes = {};
    const turn = `${text.direction} ${text.other}`;
    if (turn !== this.last) {
      nodes.sep = make("p", text.direction === "in" ? "From " : "To ", "sep");
      nodes.sep.append(make("b", pretty(text.other), "num"));
      const label = this.label(text.other);
      if (label) nodes.sep.append(`, ${label}`);
      this.last = turn;
    }
    nodes.body = make("p", text.text, text.direction === "out" ? "bubble out" : "bubble");
    for (const address of text.media) nodes.body.append(this.picture(address, text.direction));
    nodes.meta = make("p");
    return nodes;
  }

  /** A picture: one's own from the network, another's from where the relay offers it. */
  picture(address, direction) {
    const own = address.match(/\/sandbox\/carrier\/v1\/media\/([\w.-]+)$/);
    const offered = new URL(address, location.href);
    if (!own && offered.origin !== location.origin) return make("div", `🖼 ${address}`);
    const image = make("img");
    image.alt = direction === "out" ? "Picture that you sent" : "Picture that you got";
    image.src = own ? `/sandbox/api/pictures/${own[1]}` : offered.pathname;
    return image;
  }

  meta(node, text) {
    const states = { sending: "Sending…", sent: "Sent", failed: "Not delivered", received: "" };
    const words = [states[text.state], time(text.at_ms)].filter(Boolean).join(" · ");
    const out = text.direction === "out" ? " out" : "";
    if (node.textContent !== words) node.textContent = words;
    node.className = `meta${out}${text.state === "failed" ? " failed" : ""}`;
  }

  past(call) {
    this.last = null;
    const [words, kind] = (call.direction === "out" ? OUT_ENDS : IN_ENDS)[call.ended];
    const node = make("div", undefined, `event ${kind}`);
    node.append(make("b", words), make("span", call.direction === "out" ? "to" : "from"));
    node.append(make("span", pretty(call.other), "num"));
    if (call.answered_at_ms !== null) {
      node.append(make("span", `· ${length(call.ended_at_ms - call.answered_at_ms)}`));
    }
    for (const sound of call.heard) {
      if (sound.sound === "words") node.append(make("q", sound.text));
    }
    return { node };
  }

  /** Fills in whom the person most likely wants to reach, unless they chose. */
  suggest() {
    const field = this.part("to");
    if (this.edited || document.activeElement === field) return;
    const came = [...this.view.texts, ...this.view.calls]
      .filter((one) => one.direction === "in" && one.other?.startsWith("+"))
      .sort((a, b) => b.at_ms - a.at_ms)[0];
    const number = came?.other ?? this.view.contacts[0]?.number ?? "";
    if (field.value !== pretty(number)) field.value = number && pretty(number);
  }

  contacts() {
    const box = this.part("contacts");
    const print = JSON.stringify(this.view.contacts);
    if (box.dataset.print !== print) {
      box.dataset.print = print;
      box.replaceChildren(
        ...this.view.contacts.map(({ label, number }) => {
          const button = make("button");
          button.type = "button";
          button.dataset.contact = number;
          button.append(make("b", label), " via ", make("span", pretty(number), "num"));
          button.addEventListener("click", () => {
            this.part("to").value = pretty(number);
            this.edited = true;
            this.fault("");
            this.mark();
            this.part("words").focus();
          });
          return button;
        }),
      );
    }
    this.mark();
  }

  mark() {
    for (const button of this.part("contacts").children) {
      button.setAttribute("aria-pressed", String(button.dataset.contact === this.to()));
    }
  }

  panel() {
    const call = this.call();
    const panel = this.part("call");
    const hadFocus = panel.contains(document.activeElement);
    this.button("dial").disabled = Boolean(call);
    panel.hidden = !call;
    // What the panel covers is out of reach for the keyboard too.
    this.part("thread").inert = this.part("desk").inert = Boolean(call);
    if (!call) {
      this.callId = null;
      if (hadFocus) this.part("words").focus();
      return;
    }
    if (this.callId !== call.id) {
      this.callId = call.id;
      this.keypad = false;
      this.asked = false;
      this.part("captions").replaceChildren();
    }
    panel.dataset.at = call.stage;
    const stages = { dialling: "Calling…", ringing: "Incoming call", connected: "Connected" };
    const stage = this.part("stage");
    if (stage.textContent !== stages[call.stage]) stage.textContent = stages[call.stage];
    this.part("other").textContent = pretty(call.other);
    const label = this.label(call.other);
    this.part("known").textContent = label ? `${label}, by this phone’s contacts` : "";
    this.button("answer").hidden = call.stage !== "ringing";
    this.button("keypad").hidden = call.stage !== "connected";
    this.part("end").textContent = call.stage === "ringing" ? "Decline" : "Hang up";
    this.captions(call);
    // A question is answered with a key; the keypad that came with it goes with it.
    const asked = Boolean(call.heard.at(-1)?.question);
    if (asked !== this.asked) this.keypad = asked;
    this.asked = asked;
    if (!this.keypad && this.part("keys").contains(document.activeElement)) {
      this.button("end").focus();
    }
    this.keys();
    this.tick();
    if (this.wantsFocus || (hadFocus && !panel.contains(document.activeElement))) {
      this.wantsFocus = false;
      this.button("end").focus();
    }
  }

  captions(call) {
    const box = this.part("captions");
    const now = call.heard.at(-1);
    // The last sounds only: older ones have been read.
    const lines = call.heard.slice(-4).map((sound) => {
      if (sound.sound === "words") {
        return make("p", `“${sound.text}”`, sound.question ? "said question" : "said");
      }
      if (sound.sound === "audio") return make("p", `A recording: ${sound.url}`);
      if (sound.sound === "key") return make("p", `Key ${sound.key} from the other side`);
      const words = {
        ringing: "It rings at the other end",
        busy: "A busy tone",
        tone: "A tone: you are recorded until you press # or hang up",
        person: "You hear each other",
      };
      return make("p", words[sound.sound]);
    });
    const print = JSON.stringify([call.id, call.heard.length, now ?? null]);
    if (box.dataset.print === print) return;
    box.dataset.print = print;
    box.replaceChildren(...lines);
    box.scrollTop = box.scrollHeight;
  }

  keys() {
    const shown = this.keypad && this.call()?.stage === "connected";
    this.part("keys").hidden = !shown;
    this.button("keypad").setAttribute("aria-expanded", String(shown));
  }

  tick() {
    const since = this.call()?.answered_at_ms;
    this.part("timer").textContent = since ? length(Date.now() + clock - since) : "";
  }

  /** Which numbers it has seen, held against the other phones' own. */
  knows() {
    const seen = new Set([...this.view.texts, ...this.view.calls].map((one) => one.other));
    seen.delete(null);
    const lines = [];
    for (const other of phones.values()) {
      if (other === this) continue;
      const { name, number } = other.view;
      const words = seen.has(number)
        ? `It has seen ${name}’s own number, ${pretty(number)}.`
        : `It has never seen ${name}’s own number.`;
      lines.push(make("li", words, seen.has(number) ? "bad" : "good"));
      seen.delete(number);
    }
    const rest = [...seen];
    lines.push(
      make("li", rest.length ? `It has seen ${rest.map(pretty).join(", ")}.` : "It has seen no number yet."),
    );
    const print = lines.map((line) => line.className + line.textContent).join("\n");
    const list = this.part("knows");
    if (list.dataset.print === print) return;
    list.dataset.print = print;
    list.replaceChildren(...lines);
  }
}

function frame(view) {
  const main = document.getElementById("phones");
  const there = main.querySelector(`[data-phone="${view.id}"]`);
  if (there) return there;
  const root = document.getElementById("phone").content.firstElementChild.cloneNode(true);
  root.dataset.phone = view.id;
  root.querySelector("textarea").id = `${view.id}-words`;
  const label = root.querySelector(".composer label");
  label.htmlFor = `${view.id}-words`;
  label.textContent = `Message from ${view.name}`;
  main.append(root);
  return root;
}

function link(state, words) {
  const box = document.getElementById("link");
  if (box.dataset.state === state) return;
  box.dataset.state = state;
  box.querySelector("[data-words]").textContent = words;
}

const live = new EventSource("/sandbox/api/live");
live.addEventListener("phones", (event) => {
  const { now_ms, phones: views } = JSON.parse(event.data);
  clock = now_ms - Date.now();
  link("live", "Live");
  for (const view of views) {
    if (!phones.has(view.id)) phones.set(view.id, new Phone(frame(view), view));
    phones.get(view.id).update(view);
  }
  document.getElementById("empty").hidden = phones.size > 0;
  for (const phone of phones.values()) phone.knows();
});
live.addEventListener("open", () => link("live", "Live"));
live.addEventListener("error", () => link("lost", "Reconnecting…"));
setInterval(() => {
  for (const phone of phones.values()) phone.tick();
}, 500);
