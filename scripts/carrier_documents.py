"""Reads what documents may hold: the verbs of XML dialects from the official SDKs' builders, and the verbs of
jambonz from its specification. Used by carrier-api.

An element of XML is an object: its name as `verb`, its attributes, the elements `inside` it, its `words`.
"""

import importlib
import inspect
import json
import re


def element(name, attributes, inside, words):
    """The schema of an element; `inside` are names of elements."""
    properties = {"verb": {"type": "string", "enum": [name]}, **attributes}
    if words:
        properties["words"] = {"type": "string"}
    if inside:
        anyone = [{"$ref": one} for one in inside]
        properties["inside"] = {"type": "array", "items": {"anyOf": anyone}}
    return {"type": "object", "properties": properties, "required": ["verb"]}


class Elements:
    """What the readers of XML dialects have in common: `root` names the class of the whole document, and
    `verbs` the elements that are kept."""

    def __init__(self, extract):
        self.extract, self.source = extract, extract.source

    def read(self):
        module, _, name = self.source["root"].partition(":")
        self.module = importlib.import_module(module)
        root = self.add(getattr(self.module, name))
        self.extract.document(self.source["kind"], {"$ref": root})

    def add(self, kind):
        types = self.extract.types.types
        name = self.name(kind)
        if name not in types:
            types[name] = {}
            inside = [self.add(child) for child in self.inside(kind)
                      if self.name(child) in self.source["verbs"]]
            types[name] = element(name, self.attributes(kind), inside, self.words(kind))
        return name


class Twiml(Elements):
    """Twilio's: a method for each verb nests it, and its arguments are the attributes."""

    def name(self, kind):
        found = re.search(r'self\.name = "([^"]+)"', inspect.getsource(kind))
        return found[1] if found else kind.__name__

    def methods(self, kind):
        for method in vars(kind).values():
            if inspect.isfunction(method):
                found = re.search(r"self\.(?:nest|append)\(\s*(\w+)\(", inspect.getsource(method))
                if found:
                    yield method, getattr(self.module, found[1])

    def inside(self, kind):
        return [child for _, child in self.methods(kind)]

    def read(self):
        self.given = {}
        super().read()
        types = self.extract.types.types
        for name in self.given.keys() & types.keys():
            types[name]["properties"].update(sorted(self.given[name].items()))

    def attributes(self, kind):
        """Those of what is inside: an element's own stand where it is nested."""
        for method, child in self.methods(kind):
            given = self.given.setdefault(self.name(child), {})
            for argument in sorted(self.arguments(method) - self.arguments(child.__init__)):
                given[self.wire(argument)] = {}
        return {}

    @staticmethod
    def arguments(function):
        plain = inspect.Parameter.VAR_KEYWORD
        return {one.name for one in inspect.signature(function).parameters.values()
                if one.kind != plain and one.name != "self"}

    def wire(self, name):
        twiml = importlib.import_module("twilio.twiml")
        return twiml.lower_camel(twiml.TwiML.MAP.get(name, name))

    def words(self, kind):
        return bool(self.arguments(kind.__init__))


class PlivoXml(Elements):
    """Plivo's: a class for each verb, with its attributes in `to_dict` and their types in setters."""

    TYPES = {"bool": "boolean", "int": "integer", "six.text_type": "string"}

    def name(self, kind):
        return kind._name

    def inside(self, kind):
        known = {one._name: one for one in vars(self.module).values()
                 if inspect.isclass(one) and hasattr(one, "_name")}
        return [known[name] for name in kind._nestable if name in known]

    def attributes(self, kind):
        code = inspect.getsource(kind)
        types = dict(re.findall(r"self\.__(\w+) = (bool|int|six\.text_type)\(", code))
        pairs = re.findall(r"'([\w:]+)':\s*self\.(\w+)", inspect.getsource(kind.to_dict))
        return {wire: {"type": self.TYPES[types[own]]} if own in types else {}
                for wire, own in pairs if own not in ("content", "body")}

    def words(self, kind):
        return "content" in inspect.signature(kind.__init__).parameters


class Bxml(Elements):
    """Bandwidth's: a class for each verb, with its attributes in `_attributes` and types in annotations."""

    TYPES = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}

    def name(self, kind):
        return re.search(r'tag="(\w+)"', inspect.getsource(kind.__init__))[1]

    def inside(self, kind):
        if kind.__name__ in ("Response", "Bxml"):
            return [one for name, one in vars(self.module).items() if inspect.isclass(one)
                    and name not in ("Response", "Bxml", "Root", "Verb", "NestableVerb")]
        annotations = " ".join(map(str, kind.__init__.__annotations__.values()))
        names = re.findall(r"verbs\.\w+\.(\w+)", annotations)
        return [getattr(self.module, name) for name in dict.fromkeys(names)]

    def attributes(self, kind):
        if not isinstance(vars(kind).get("_attributes"), property):
            return {}
        code = inspect.getsource(vars(kind)["_attributes"].fget)
        types = {name: getattr(one.annotation, "__name__", "")
                 for name, one in inspect.signature(kind.__init__).parameters.items()}
        typed = {wire: self.TYPES.get(types.get(own, ""))
                 for wire, own in re.findall(r'"(\w+)":\s*self\.(\w+)', code)}
        return {wire: {"type": one} if one else {} for wire, one in typed.items()}

    def words(self, kind):
        return "content=" in inspect.getsource(kind.__init__)


class Pages:
    """Attributes as tables of a carrier's documentation in Markdown have them: for dialects without a builder."""

    TYPES = {"URL": "string", "string": "string", "integer": "integer", "boolean": "boolean"}

    def __init__(self, extract):
        self.extract, self.source = extract, extract.source

    def read(self):
        inside = self.source["inside"]
        for name, (file, heading) in self.source["verbs"].items():
            attributes = self.attributes(self.extract.file(file), heading) if file else {}
            children, words = inside.get(name, []), name in self.source["words"]
            self.extract.types.types[name] = element(name, attributes, children, words)
        self.extract.document(self.source["kind"], {"$ref": "Response"})

    def attributes(self, text, heading):
        parts = re.split(r"^#+ (.*)$", text, flags=re.M)
        section = dict(zip(parts[1::2], parts[2::2])).get(heading, "")
        found = re.findall(r'<ParamField path="(\w+)" type="(\w+)"', section)
        found += re.findall(r"^\| `(\w+)` \| (\w+) ", section, re.M)
        return {name: {"type": self.TYPES[kind]} for name, kind in found}


class JambonzVerbs:
    """jambonz's own specification of its verbs: types by name, in a notation of its own."""

    def __init__(self, extract):
        self.extract, self.source = extract, extract.source

    def read(self):
        self.verbs = json.loads(self.extract.file(self.source["file"]))
        types, anyone = self.extract.types.types, []
        for verb in self.source["verbs"]:
            # Where one stands inside another, its name is that of the field.
            inner = types[self.type(verb)]
            name = f"{verb}, a verb"
            types[name] = {**inner, "required": sorted({*inner.get("required", []), "verb"}), "properties": {
                "verb": {"type": "string", "enum": [verb]}, **inner["properties"]}}
            anyone.append({"$ref": name})
        self.extract.document(self.source["kind"], {"type": "array", "items": {"anyOf": anyone}})

    def type(self, name):
        types = self.extract.types.types
        if name not in types:
            types[name] = {}
            spec = self.verbs[name]
            properties = {key: self.value(one) for key, one in spec["properties"].items()}
            types[name] = {"type": "object", "properties": properties}
            if spec.get("required"):
                types[name]["required"] = sorted(spec["required"])
        return name

    def value(self, one):
        if isinstance(one, list):
            return {"type": "array", "items": self.value(one[0])}
        if isinstance(one, dict):
            return {key: one[key] for key in ("type", "enum") if key in one}
        kinds = [kind.strip() for kind in one.split("|")]
        # What we never send is named, and not held.
        if one.startswith("#") and one[1:] in self.source["left_out"]:
            return {"of": one[1:]}
        several = [{"$ref": self.type(kind[1:])} if kind.startswith("#") and kind[1:] in self.verbs
                   else {"type": kind} if not kind.startswith("#") else {} for kind in kinds]
        return several[0] if len(several) == 1 else {"anyOf": several}
