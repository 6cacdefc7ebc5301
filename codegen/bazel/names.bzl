"""Names of crates. Two labels never get the same one."""

# What a label may hold besides letters, digits and the underscore; an escape is a place in this list.
_SPECIAL = "/:@_-.!%^\"#$&'()*+,;<=>?[]{|}~ "

# What the crate with the services of a proto_library is called after its messages'. No other name ends so.
GRPC_SUFFIX = "____grpc"

# No crate can be called so: Rust's own names of crates and of modules, and those that all generated code uses.
_TAKEN = ["Self", "_", "alloc", "callwright", "core", "crate", "self", "std", "super"]

# What is spelled `r#type` in a path: a rule can be called so, but generated code names no crate so.
_KEYWORDS = (
    "abstract as async await become box break const continue do dyn else enum extern false final fn for gen if impl in " +
    "let loop macro match mod move mut override priv pub ref return static struct trait true try type typeof unsafe " +
    "unsized use virtual where while yield"
).split(" ")

def is_crate_name(name):
    """Whether a crate can be called so."""
    return is_identifier(name) and name not in _TAKEN

def is_identifier(name):
    """Whether Rust takes it for a name; keywords aside."""
    if not name or name[0].isdigit():
        return False
    return not [char for char in name.elems() if not (char.isalnum() or char == "_")]

def identifier(name):
    """The name as Rust can spell it: `my-proto` is `my_proto`."""
    text = "".join([char if char.isalnum() else "_" for char in name.elems()])
    return "_" + text if text[:1].isdigit() else text

def _is_plain(part):
    return is_identifier(part) and "__" not in part and not part.startswith("_") and not part.endswith("_")

def crate_name(label):
    """The crate of a label: `//a/b:c_proto` is `a__b__c_proto`, `@repository//:c` is `repository___c`.

    A label whose name could be that of another, because of a `-` or of two underscores, or is one that Rust keeps for
    itself, gets four underscores and its special characters by number at the end. No other name has four in a row.
    """
    workspace = label.workspace_name.lstrip("@")
    folders = label.package.split("/") if label.package else []
    name = "__".join([identifier(part) for part in folders + [label.name]])
    if workspace:
        name = identifier(workspace) + "___" + name
    parts = folders + [label.name] + ([workspace] if workspace else [])
    if name not in _TAKEN + _KEYWORDS and not [part for part in parts if not _is_plain(part)]:
        return name
    escapes = ""
    for char in ("@%s//%s:%s" % (workspace, label.package, label.name)).elems():
        if char.isalnum():
            continue
        number = _SPECIAL.find(char)
        if number < 0:
            fail("%s has the character %s, which cannot be in the name of a crate" % (label, repr(char)))
        escapes += str(number) if number > 9 else "0" + str(number)
    return "%s____%s" % (name, escapes)
