"""A workflow whose data is nobody else's business."""

from datetime import timedelta

from pydantic import BaseModel, SecretStr

from ruvon import StepContext, human, step, workflow


class Patient(BaseModel):
    name: str
    number: SecretStr
    notes: list[str] = []


class Finding(BaseModel):
    text: str


class Told(BaseModel):
    name: str


@step
async def examine(state: Patient, context: StepContext) -> None:
    state.notes.append(f"{state.name} was examined")
    context.publish("examined", Told(name=state.name))


@step(queue="default")
def measure(name: str) -> str:
    return f"{name} measured"


@step(transaction=True)
async def bill(state: Patient, context: StepContext) -> None:
    state.notes.append(f"{state.name} was billed")


@workflow("Care", version="1")
async def care(state: Patient) -> str:
    await examine(state)
    finding = await human("doctor.look", form=Finding, timeout=timedelta(days=2))
    state.notes.append(finding.text)
    await bill(state)
    return state.notes[-1]


@workflow("Measured", version="1")
async def measured(state: Patient) -> str:
    return await measure(state.name)
