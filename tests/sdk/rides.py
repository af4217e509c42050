"""An application written for Twilio Proxy runs unchanged but for the base URL: one day of it.

    rides.py BASE_URL ACCOUNT_SID AUTH_TOKEN API_KEY OTHER_SID OTHER_TOKEN PORT
"""

import json
import sys
import time
import urllib.request

from twilio.rest import Client

from rides_app import PIN, Rides

BASE, SID, TOKEN, PORT = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[7])
PASSENGER, DRIVER, STRANGER, SUPPORT = (f"+1212555{n:04}" for n in (150, 151, 152, 153))
POOL = ["+14155550170", "+14155550171"]

client = Client(SID, TOKEN)
client.proxy.base_url = BASE  # the one line that changes
app = Rides(client, TOKEN, ("127.0.0.1", PORT), SUPPORT)


def phones(method, path, body=None):
    request = urllib.request.Request(
        BASE + "/sandbox/api" + path,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or b"null")


def until(what, work):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = work()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: nothing in 30 seconds")


def view(phone):
    return phones("GET", f"/phones/{phone}")


def phone(number):
    return phones("POST", "/phones", {"name": number[-4:], "number": number})["id"]


def text(who, to, words):
    phones("POST", f"/phones/{who}/text", {"to": to, "text": words})


def got(who):
    return [(one["other"], one["text"]) for one in view(who)["texts"] if one["direction"] == "in"]


def call(who):
    return next((one for one in view(who)["calls"] if one["stage"] != "ended"), None)


def heard(who):
    return [one.get("text", one["sound"]) for one in view(who)["calls"][-1]["heard"]]


def act(who, deed, **more):
    phones("POST", f"/phones/{who}/{deed}", {"call": call(who)["id"], **more})


def main():
    passenger, driver, stranger, support = map(phone, (PASSENGER, DRIVER, STRANGER, SUPPORT))
    app.set_up(POOL)
    to_driver, to_passenger = app.book("ride-1", PASSENGER, DRIVER)

    text(passenger, to_driver, "I am at the gate")
    assert until("a text", lambda: got(driver)) == [(to_passenger, "I am at the gate")]
    text(driver, to_passenger, "call me on 555 0199")
    until("a refusal", lambda: app.refused)
    text(driver, to_passenger, "Two minutes")
    assert until("a text", lambda: got(passenger)) == [(to_driver, "Two minutes")]

    phones("POST", f"/phones/{driver}/dial", {"to": to_passenger})
    ring = until("a call", lambda: call(passenger))
    assert ring["other"] == to_driver, ring
    act(passenger, "answer")
    until("a talk", lambda: "person" in heard(driver))
    until("news of it", lambda: any(
        one.get("outboundResourceStatus") == "in-progress" for one in app.log))
    act(driver, "hang_up")
    last = until("the end", lambda: [one for one in app.log
                 if one["interactionType"] == "Voice"
                 and one.get("outboundResourceStatus") == "completed"])[-1]
    assert "duration" in json.loads(last["interactionData"]), last

    app.arrive("ride-1")
    kinds = [(kind, status) for kind, _, status in app.talked("ride-1")]
    assert kinds == [("Message", "delivered"), ("Message", "canceled"), ("Message", "delivered"),
                     ("Voice", "completed")], kinds
    said = [json.loads(data).get("body") for _, data, _ in app.talked("ride-1")][:3]
    assert said == ["I am at the gate", "call me on 555 0199", "Two minutes"], said

    text(passenger, to_driver, "I forgot my bag")
    until("an answer", lambda: (to_driver, "Ride ride-1 is over.") in got(passenger))
    text(stranger, POOL[0], "hello")
    until("an answer", lambda: (POOL[0], "Book a ride first.") in got(stranger))
    assert len(got(driver)) == 1, "a late text reaches nobody"

    phones("POST", f"/phones/{passenger}/dial", {"to": to_driver})
    until("the question", lambda: "Your PIN, please." in heard(passenger))
    for key in PIN:
        act(passenger, "press", key=key)
    ring = until("a call", lambda: call(support))
    assert ring["other"] == to_driver, "support sees a number of the pool"
    act(support, "answer")
    until("a talk", lambda: "person" in heard(passenger))
    act(support, "hang_up")
    until("the end", lambda: call(passenger) is None)
    assert heard(passenger)[-1] == "Thank you.", heard(passenger)
    assert app.forged == 0, "a callback's signature is not Twilio's"
    print("rides: one day went by")


main()
