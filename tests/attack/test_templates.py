"""Templates build no more than a limit, whichever operation grows the value (law 7)."""

import tracemalloc
from collections.abc import Iterator
from decimal import Decimal

import pytest

from ruvon.implementations.templating.jinja2 import Jinja2TemplateEngine
from ruvon.providers import TemplateError

LONG = "{% set a = 'x' * 60000 %}"
MOST_BYTES = 40_000_000

BOMBS = (
    "{{ 'x' * 10**9 }}",
    LONG + "{% set b = a + a + a + a %}{% set c = b+b+b+b+b+b+b+b %}{% set d = c+c+c+c+c+c+c+c %}{{ d|length }}",
    LONG + "{% set b = a ~ a ~ a ~ a %}{% set c = b~b~b~b~b~b~b~b %}{% set d = c~c~c~c~c~c~c~c %}{{ d|length }}",
    LONG + "{{ (a|replace('x', a))|length }}",
    LONG + "{{ a.replace('x', a)|length }}",
    LONG + "{{ a.replace('', a)|length }}",
    LONG + "{{ a.join(['x'] * 60000)|length }}",
    LONG + "{{ (['x'] * 60000)|join(a)|length }}",
    LONG + "{{ a|batch(1)|join(a)|length }}",
    LONG + "{{ ([a] * 60000)|join|length }}",
    LONG + "{{ ([a] * 60000)|string|length }}",
    LONG + "{{ ([a] * 60000)|upper|length }}",
    LONG + "{{ [a] * 60000 }}",
    LONG + "{{ {1: [a] * 60000} }}",
    LONG + "{{ 'x y ' * 20000 }}",
    LONG + "{{ a|wordwrap(1, wrapstring=a)|length }}",
    LONG + "{{ ('x\n' * 30000)|indent(a)|length }}",
    LONG + "{{ ('www.a.b ' * 8000)|urlize(rel=a)|length }}",
    "{% set a = [1] * 60000 %}{{ ([a] * 60000)|string|length }}",
    "{% set a = [[1] * 60000] * 60000 %}{{ a|sum(start=[])|length }}",
    "{{ ('\t' * 60000).expandtabs(60000)|length }}",
    "{{ 'a'|center(10**10) }}",
    "{{ 'a'|indent(10**10) }}",
    "{{ 'a'|batch(10**10, 'b')|list|length }}",
    "{{ 'a'|slice(10**10)|list|length }}",
    "{{ 'a'.zfill(10**10) }}",
    "{{ (2**1000)**1000 }}",
    "{{ 5|round(-10**9) }}",
    "{{ number|int }}",
    "{{ number|round(0, 'ceil') }}",
    "{{ number.as_integer_ratio() }}",
    "{% for i in [1] * 60000 %}{% for j in [1] * 60000 %}{% endfor %}{% endfor %}",
    "{% set x %}{% for i in [1] * 60000 %}{{ 'x' * 60000 }}{% endfor %}{% endset %}{{ x|length }}",
    "{% set x %}{% for i in [1] * 60000 %}" + "x" * 6000 + "{% endfor %}{% endset %}{{ x|length }}",
    "{% macro m() %}{% for i in [1] * 60000 %}" + "x" * 6000 + "{% endfor %}{% endmacro %}{{ m()|length }}",
    "{% filter upper %}{% for i in [1] * 60000 %}" + "x" * 6000 + "{% endfor %}{% endfilter %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(30) }}",
    "".join("{% set a" + str(n) + " = 'x' * 60000 %}" for n in range(1500)),
)


@pytest.fixture
def peak() -> Iterator[list[int]]:
    """Traces memory; the last item is the peak when asked."""
    tracemalloc.start()
    yield []
    tracemalloc.stop()


@pytest.mark.parametrize("template", BOMBS, ids=range(len(BOMBS)))
def test_what_grows_is_refused_before_it_is_built(template: str, peak: list[int]) -> None:
    """A template that would fill the memory, at the end or on the way, is an error and has built next to nothing."""
    with pytest.raises(TemplateError):
        Jinja2TemplateEngine().render(template, {"number": Decimal("1E+999999999")})
    peak.append(tracemalloc.get_traced_memory()[1])

    assert peak[-1] < MOST_BYTES


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (
            "{% for k, v in d.items() %}{{ loop.index }}/{{ loop.length }} {{ k }}={{ v }};{% endfor %}",
            "1/2 a=1;2/2 b=2;",
        ),
        ("{% for row in 'abcd'|batch(2) %}{{ row|join('-') }}{{ '' if loop.last else ', ' }}{% endfor %}", "a-b, c-d"),
        ("{% for x in d if x != 'a' %}{{ x }}{% else %}none{% endfor %}", "b"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) ~ 2 ~ 'x' }}", "<1>2x"),
        ("{% set t %}a{{ 1 }}b{% endset %}{{ t|upper }}", "A1B"),
        ("{{ 'x,y'.split(',')|join(' and ')|title }}", "X And Y"),
        ("{{ [1, 2, 3]|sum }} {{ 2.345|round(1) }} {{ 7 % 4 }} {{ 2 ** 10 }} {{ [1] + [2] }}", "6 2.3 3 1024 [1, 2]"),
        ("{{ missing|default('none') }} {{ None }} {{ number }}", "none None 12.50"),
        ("{{ 'a b c d'|wordwrap(3) }} {{ 'a'|center(5) }}|", "a b\nc d   a  |"),
        ("{{ '<a>'|e }} {{ 'a b'|urlencode }} {{ 'abcdef'|truncate(5, true, '', 0) }}", "&lt;a&gt; a%20b abcde"),
    ],
)
def test_ordinary_templates_render(template: str, text: str) -> None:
    """Loops, macros, blocks, filters and operators do what they do in Jinja2."""
    assert Jinja2TemplateEngine().render(template, {"d": {"a": 1, "b": 2}, "number": Decimal("12.50")}) == text


def test_a_large_text_of_many_lines_renders() -> None:
    """A mail of a thousand lines, each with filters, is far below the limit."""
    template = "{% for n in rows %}{{ n|string|center(20) ~ '|' }}{{ (n * 3)|round(1) }}\n{% endfor %}"

    assert Jinja2TemplateEngine().render(template, {"rows": list(range(1000))}).count("\n") == 1000


def test_chance_is_not_for_templates() -> None:
    """`random` would render another text when the step runs again."""
    with pytest.raises(TemplateError):
        Jinja2TemplateEngine().render("{{ [1, 2]|random }}", {})
