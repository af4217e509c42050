"""A marketplace for rides, written for Twilio Proxy with Twilio's SDK and nothing else.

Nothing in it knows the relay: whoever runs it says where the API is.
"""

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

PIN = "4711"


class Rides:
    """Rides between passengers and drivers, who reach each other without a number."""

    def __init__(self, client, token, address, support):
        self.client = client
        self.support = support
        self.validator = RequestValidator(token)
        self.log = []
        self.forged = 0
        self.refused = 0
        self.site = ThreadingHTTPServer(address, self.handler())
        self.url = f"http://{address[0]}:{address[1]}"
        Thread(target=self.site.serve_forever, daemon=True).start()

    def set_up(self, numbers):
        service = self.client.proxy.v1.services.create(
            unique_name="rides",
            default_ttl=3600,
            callback_url=f"{self.url}/told",
            intercept_callback_url=f"{self.url}/may",
            out_of_session_callback_url=f"{self.url}/who",
        )
        self.service = self.client.proxy.v1.services(service.sid)
        for number in numbers:
            self.service.phone_numbers.create(phone_number=number)

    def book(self, ride, passenger, driver):
        """Opens a ride; the numbers that its two people dial."""
        session = self.service.sessions.create(unique_name=ride)
        people = self.service.sessions(session.sid).participants
        return [
            people.create(identifier=number, friendly_name=name).proxy_identifier
            for name, number in (("passenger", passenger), ("driver", driver))
        ]

    def arrive(self, ride):
        self.service.sessions(self.find(ride).sid).update(status="closed")

    def find(self, ride):
        return self.service.sessions(ride).fetch()

    def talked(self, ride):
        """What was said and done on a ride, the first first."""
        found = self.service.sessions(self.find(ride).sid).interactions.list()
        return [(one.type, one.data, one.outbound_resource_status) for one in reversed(found)]

    def answer(self, path, form):
        if path == "/told":
            self.log.append(form)
            return 200, "text/plain", ""
        if path == "/may":
            # People who swap numbers leave the marketplace.
            if re.search(r"\d{3}.?\d{4}", form.get("interactionData", "")):
                self.refused += 1
                return 403, "text/plain", ""
            return 200, "text/plain", ""
        if path == "/who" and "Body" in form:
            answer = MessagingResponse()
            ride = form.get("sessionUniqueName")
            answer.message(f"Ride {ride} is over." if ride else "Book a ride first.")
            return 200, "text/xml", str(answer)
        answer = VoiceResponse()
        if path == "/who":
            gather = Gather(num_digits=4, action="/pin", method="POST")
            gather.say("Your PIN, please.")
            answer.append(gather)
            answer.say("Goodbye.")
        elif path == "/pin" and form.get("Digits") == PIN:
            dial = Dial(timeout=20, action="/after")
            dial.number(self.support)
            answer.append(dial)
        else:
            answer.say("Thank you." if path == "/after" else "That is not it.")
            answer.hangup()
        return 200, "text/xml", str(answer)

    def handler(self):
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {k: v[0] for k, v in parse_qs(body, keep_blank_values=True).items()}
                signature = self.headers.get("X-Twilio-Signature", "")
                if app.validator.validate(app.url + self.path, form, signature):
                    status, kind, text = app.answer(self.path, form)
                else:
                    app.forged += 1
                    status, kind, text = 400, "text/plain", "forged"
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        return Handler
