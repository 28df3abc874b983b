from datetime import timedelta

from golden_shop import *
from ruvon import HttpResponse, call, http, infer, secret, template, wasm, workflow


@workflow("Golden")
async def golden(state: Order) -> str:
    page = await http("GET", f"https://example.org/{state.number}", expect=(404,))
    paid = await http("POST", "https://example.org", json={"n": state.number}, headers={"X": secret("KEY")}, into=Paid, retry=POLITE, timeout=timedelta(seconds=3))
    guess = await infer("model@2", {"text": page.text}, into=Approval, default=Approval(ok=False))
    checked = await wasm("sha256:00", {"ok": guess.ok}, into=Approval, entry="run")
    result = await call("RETRYABLE", function=price, max_retries=5)(state)
    await call("AUDIT", into=Paid).with_(name="Audit it")(state, level="info")
    return template("{{ state.name | upper }}")
