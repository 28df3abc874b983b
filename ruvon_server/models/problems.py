"""The body of an answer that tells a problem."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Problem", "ProblemItem"]


class ProblemItem(BaseModel):
    """One of several things that are wrong."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    detail: str
    """What is wrong, and what to do."""
    place: str | None = None
    """Where: `body.data.amount`, `query.limit`, or file, line and column of a definition."""
    code: str | None = None
    """The code of a finding about a definition, such as RV0301."""


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str = Field(examples=["urn:ruvon:problem:workflow-not-found"])
    """The kind of problem, as a name that is unique in the world."""
    title: str = Field(examples=["No such workflow"])
    """The kind of problem in a few words."""
    status: int = Field(examples=[404])
    """The status of the answer."""
    detail: str = Field(examples=["there is no workflow with the id 3f2a9c41-... in this store"])
    """What is wrong with this request, and what to do."""
    instance: str = Field(examples=["/api/v1/workflows/3f2a9c41-6a9b-4a55-8a27-0d2f5b1f1a11"])
    """The path that was asked for; where the server is to blame, the id under which its log has the reason."""
    code: str = Field(examples=["workflow-not-found"])
    """The kind of problem in one word, for programs."""
    errors: list[ProblemItem] = []
    """Each thing that is wrong, where there are several."""
