"""The steps that the front-end benchmark's workflows name."""

from pydantic import BaseModel

from ruvon import step


class Order(BaseModel):
    amount: int = 0
    name: str = ""
    vip: bool = False


@step
def value_step(amount: int, text: str) -> int:
    return amount + len(text)


@step
def state_step(state: Order) -> None:
    state.amount += 1
