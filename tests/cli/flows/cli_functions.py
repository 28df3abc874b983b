"""Step functions of cli_steps.yaml."""


def first(state: dict[str, object], context: object) -> dict[str, object]:
    return {"seen": True}


def sign(state: dict[str, object], context: object, signature: str) -> dict[str, object]:
    return {"signed_by": signature}


def last(state: dict[str, object], context: object) -> dict[str, object]:
    return {"done": True}


def greet(state: dict[str, object], context: object, text: str, token: str) -> dict[str, object]:
    return {"card": f"{text} ({len(token)})"}
