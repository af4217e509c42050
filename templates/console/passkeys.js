// Passkeys: a form that says `data-passkey` asks its address what to ask of the browser, asks it, and sends what it
// answers. The forms are hidden where the browser knows none.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const base64 = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const withBytes = (one) => ({ ...one, id: bytes(one.id) });

// Browsers from before 2024 do not read and write the JSON themselves.
function creation(options) {
  if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return {
    ...options,
    challenge: bytes(options.challenge),
    user: withBytes(options.user),
    excludeCredentials: (options.excludeCredentials ?? []).map(withBytes),
  };
}

function request(options) {
  if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: (options.allowCredentials ?? []).map(withBytes),
  };
}

function written(credential) {
  const { id, rawId, type, response } = credential;
  const told = { clientDataJSON: base64(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) told[name] = base64(response[name]);
  }
  return { id, rawId: base64(rawId), type, response: told };
}

async function send(address, body) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  // A page: somebody was logged out meanwhile.
  if (!answer.headers.get("Content-Type")?.startsWith("application/json")) {
    location.reload();
    return {};
  }
  return answer.json();
}

function why(error, says) {
  if (error.name === "InvalidStateError") return says.known;
  if (error.name === "SecurityError") return says.elsewhere;
  return error.name === "NotAllowedError" || error.name === "AbortError" ? says.cancelled : says.failed;
}

async function ask(form) {
  const { passkey: address, ...says } = form.dataset;
  const { ask: question, next, fault } = await send(`${address}/ask`, {});
  if (!question) return { next, fault };
  const options = question.publicKey;
  const fields = Object.fromEntries(new FormData(form));
  try {
    const credential = options.user
      ? await navigator.credentials.create({ publicKey: creation(options) })
      : await navigator.credentials.get({ publicKey: request(options) });
    return await send(address, { ...fields, credential: written(credential) });
  } catch (error) {
    return { fault: why(error, says) };
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) break;
  form.hidden = false;
  const words = form.querySelector("[role=alert]");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    words.textContent = "";
    button.disabled = true;
    const { next, fault } = await ask(form).catch(() => ({ fault: form.dataset.failed }));
    if (next) {
      location.assign(next);
      return;
    }
    button.disabled = false;
    words.textContent = fault ?? "";
  });
}
