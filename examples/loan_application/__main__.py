"""The loan example, end to end: `python -m examples.loan_application`."""

import asyncio
from pathlib import Path

from examples.loan_application.models import Application, Review
from examples.narrator import compare, heading, open_builder, tell, tell_where
from ruvon.engine import InvalidInputError

HERE = Path(__file__).parent
DATABASE = Path("var/loan_application.db")


def application(number: int, applicant: str, amount: int, country: str = "IT") -> Application:
    """An application over four years."""
    return Application.model_validate(
        {"application_id": f"L-{number}", "applicant": applicant, "amount": amount, "months": 48, "country": country}
    )


async def main(database: Path = DATABASE) -> None:
    """Compile both forms, then decide five applications."""
    compare(HERE / "workflow.py", HERE / "loan_application.yaml")
    builder = await open_builder(HERE, database)

    heading("2. A good customer: approved and paid out without anybody's help")
    print("   The three checks run side by side; `check_document` belongs to the child workflow KYC.")
    loan = await builder.create_workflow("LoanApplication", application(1, "Ada Lovelace", 20_000))
    await loan.run()
    tell(loan)

    heading("3. A doubtful one, from abroad: a person decides")
    loan = await builder.create_workflow("LoanApplication", application(2, "Grace Hopper", 60_000, country="US"))
    await loan.run()
    tell(loan)
    print("   ... an underwriter answers, but with too short a comment:")
    try:
        await loan.answer({"approve": True, "max_amount": 40_000, "comment": "ok"})
    except InvalidInputError as err:
        print(f"   refused: {err}")
    workflow_id = loan.id
    await builder.close()
    print("   ... the database is closed, opened again by a new builder, and the answer is given properly ...")
    builder = await open_builder(HERE, database)
    loan = await builder.load_workflow(workflow_id)
    await loan.next_step(
        Review.model_validate({"approve": True, "max_amount": 40_000, "comment": "good, but not all of it"})
    )
    tell(loan)

    heading("4. Three unpaid debts: declined by the rules, nobody is asked")
    loan = await builder.create_workflow("LoanApplication", application(3, "Bob", 5_000))
    await loan.run()
    tell(loan)

    heading("5. Nobody by that name: the child's error is handled, the workflow goes on")
    loan = await builder.create_workflow("LoanApplication", application(4, "Nobody Atall", 5_000))
    await loan.run()
    tell(loan)

    heading("6. The register is closed after the payout: the money is taken back")
    loan = await builder.create_workflow("LoanApplication", application(5, "Ada Unlucky", 20_000))
    await loan.run()
    tell(loan)

    await tell_where(builder, database, loan, "examples/loan_application/loan_application.yaml", 5)
    await builder.close()


if __name__ == "__main__":
    asyncio.run(main())
