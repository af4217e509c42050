// What the console does beyond links and forms. Every page works without it.

const login = document.querySelector("form[data-login]");

// A link's code stands behind its "#", which no server and no log sees. It is used at once and
// taken out of the address bar.
function useCode() {
  const code = location.hash.slice(1);
  if (!login || !code) return;
  history.replaceState(null, "", location.pathname);
  login.elements.namedItem("code").value = code;
  login.requestSubmit();
}
useCode();
addEventListener("hashchange", useCode);

// A contact that an address names is opened.
function openNamed() {
  const named = location.hash && document.getElementById(location.hash.slice(1));
  const details = named && named.querySelector("details");
  if (details) details.open = true;
}
if (!login) {
  openNamed();
  addEventListener("hashchange", openNamed);
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) break;
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = button.dataset.copied;
    setTimeout(() => (button.textContent = words), 2000);
  });
}

for (const button of document.querySelectorAll("button[data-unfold]")) {
  const words = button.textContent;
  button.hidden = false;
  let open = false;
  button.addEventListener("click", () => {
    open = !open;
    for (const one of document.querySelectorAll(".timeline details")) one.open = open;
    button.textContent = open ? button.dataset.unfolded : words;
  });
}

// What was opened leaves the screen by itself; the server's answer says so too, where scripts are off.
const opened = document.querySelector("[data-opened]");
if (opened) {
  const leave = () => {
    opened.hidden = true;
    location.replace(opened.dataset.opened);
  };
  setTimeout(leave, opened.dataset.seconds * 1000);
  addEventListener("pageshow", (event) => event.persisted && leave());
}

// A file of numbers is read into the field that is sent; without this it is pasted there.
for (const part of document.querySelectorAll("[data-file]")) {
  const field = document.getElementById(part.dataset.file);
  part.hidden = false;
  part.querySelector("input").addEventListener("change", async (event) => {
    const file = event.target.files[0];
    if (file) field.value = await file.text();
  });
}

// All times are in UTC; pointing at one tells the reader's own, in the page's language as their
// region writes it.
const lang = document.documentElement.lang;
const locale = navigator.languages.find((one) => one.split("-")[0] === lang) ?? lang;
const own = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "long" });
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = own.format(new Date(time.dateTime));
}
