"""The functions that queries may call: what they take and what PostgreSQL gives.

One line for each: its names, what it takes, and its result.

lower upper : text -> text          NULL in, NULL out
count : any? -> integer!            never NULL
lag : any integer? any? -> same?    may be NULL whatever it is given; `same` is the type of the first argument

A `*` takes any number more of the last. `math` is exact for Decimal and floating for Integer; `whole` is an Integer
that PostgreSQL computes as numeric. What is not here can't be called: a query only reads, and functions like nextval,
pg_sleep or pg_read_file do more. Source: PostgreSQL 18 manual, chapter 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from lowcode_kernel.sql import exp

PLAIN = """
abs mod : number number? -> same
ceil ceiling floor round trunc sign sqrt power pow exp ln log log10 : number number? -> math
gcd lcm : integer integer -> same
div : number number -> whole
factorial : integer -> whole
random pi : -> float!
degrees radians sin cos tan asin acos atan atan2 cbrt : number number? -> float
width_bucket : number number number integer -> integer
lower upper initcap reverse md5 quote_literal unaccent : text -> text
ltrim rtrim btrim trim : text text? -> text
length char_length character_length octet_length bit_length ascii : text -> integer
position strpos : text text -> integer
substring substr : text integer? integer? -> text
lpad rpad : text integer text? -> text
left right repeat : text integer -> text
replace translate : text text text -> text
split_part : text text integer -> text
overlay : text text integer integer? -> text
chr : integer -> text
concat : any* -> text!
concat_ws : text any* -> text
format : text any* -> text
to_char : any text -> text
to_number : text text -> decimal
to_date : text text -> date
to_timestamp : any text? -> datetime
regexp_replace : text text text text? -> text
regexp_substr : text text -> text?
regexp_count : text text -> integer
regexp_like starts_with : text text -> boolean
regexp_match regexp_split_to_array : text text -> texts?
string_to_array : text text -> texts
array_to_string : list text text? -> text
array_length array_upper array_lower : list integer -> integer?
cardinality : list -> integer
array_append array_remove : list any -> same
array_prepend : any list -> second
array_cat : list list -> same
array_position : list any -> integer?
now clock_timestamp statement_timestamp transaction_timestamp current_timestamp : -> datetime!
current_date : -> date!
current_time localtime : -> time!
localtimestamp : -> timestamp!
age : moment moment? -> interval
date_trunc : text moment text? -> moment
date_bin : interval moment moment -> moment
make_date : integer integer integer -> date
make_time : integer integer number -> time
make_timestamp : integer integer integer integer integer number -> timestamp
make_timestamptz : integer integer integer integer integer number text? -> datetime
make_interval : integer* -> interval
justify_days justify_hours justify_interval : interval -> interval
isfinite : moment -> boolean
date : moment -> date
coalesce greatest least : any* -> first
nullif : any any -> same?
num_nulls num_nonnulls : any* -> integer!
gen_random_uuid uuidv4 uuidv7 : -> uuid!
to_json : any -> oldjson
to_jsonb : any -> json
json_build_object json_build_array : any* -> oldjson!
jsonb_build_object jsonb_build_array : any* -> json!
json_array_length jsonb_array_length : json -> integer
json_typeof jsonb_typeof : json -> text
json_extract_path_text jsonb_extract_path_text : json text* -> text?
json_extract_path : json text* -> oldjson?
jsonb_extract_path : json text* -> json?
jsonb_set jsonb_insert : json any json boolean? -> json
jsonb_strip_nulls : json -> json
json_strip_nulls : json -> oldjson
jsonb_pretty : json -> text
"""

AGGREGATES = """
count : any? -> integer!
sum : number -> sum?
avg : number -> average?
min max any_value bit_and bit_or bit_xor : any -> same?
array_agg : any -> list?
string_agg : text text -> text?
bool_and bool_or every : boolean -> boolean?
json_agg : any -> oldjson?
jsonb_agg : any -> json?
json_object_agg : any any -> oldjson?
jsonb_object_agg : any any -> json?
stddev stddev_pop stddev_samp variance var_pop var_samp : number -> average?
corr covar_pop covar_samp regr_slope regr_intercept regr_r2 regr_avgx regr_avgy : number number -> float?
regr_count : number number -> integer!
mode : -> ordered?
percentile_cont : number -> percentile?
percentile_disc : number -> ordered?
grouping : any* -> integer!
"""

WINDOWS = """
row_number rank dense_rank : -> integer!
ntile : integer -> integer!
percent_rank cume_dist : -> float!
lag lead : any integer? any? -> same?
first_value last_value : any -> same?
nth_value : any integer -> same?
"""

SETS = """
unnest : list -> item
generate_series : any any any? -> series
regexp_matches : text text text? -> texts
regexp_split_to_table string_to_table : text text -> text
json_array_elements : json -> oldjson
jsonb_array_elements : json -> json
json_array_elements_text jsonb_array_elements_text : json -> text?
json_object_keys jsonb_object_keys : json -> text
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function. `takes` are kinds of arguments, `?` behind those that may be left out, `*` behind one that any
    number of times may stand. `nulls` is "!" where it is never NULL, "?" where it may always be, "" where NULL in is
    NULL out.
    """

    name: str
    takes: tuple[str, ...]
    gives: str
    nulls: str


_PARSED = """
strposition strpos, pad lpad, splitpart split_part, concatws concat_ws, timetostr to_char, tonumber to_number,
strtodate to_date, strtotime to_timestamp, unixtotime to_timestamp, regexpreplace regexp_replace,
regexpcount regexp_count, regexpsubstr regexp_substr, regexplike regexp_like, stringtoarray string_to_array,
arraytostring array_to_string, startswith starts_with, timefromparts make_time, timestampfromparts make_timestamp,
makeinterval make_interval, justifydays justify_days, justifyhours justify_hours, datebin date_bin,
groupconcat string_agg, logicaland bool_and, logicalor bool_or, bitwiseandagg bit_and, bitwiseoragg bit_or,
bitwisexoragg bit_xor, jsonarrayagg json_agg, jsonobjectagg json_object_agg, jsonbobjectagg jsonb_object_agg,
stddevpop stddev_pop, stddevsamp stddev_samp, variancepop var_pop, covarpop covar_pop, covarsamp covar_samp,
regrslope regr_slope, regrintercept regr_intercept, regrr2 regr_r2, regravgx regr_avgx, regravgy regr_avgy,
regrcount regr_count, percentilecont percentile_cont, percentiledisc percentile_disc, anyvalue any_value,
rownumber row_number, denserank dense_rank, percentrank percent_rank, cumedist cume_dist, firstvalue first_value,
lastvalue last_value, nthvalue nth_value, arraysize array_length, arrayappend array_append,
arrayprepend array_prepend, arrayconcat array_cat, arrayposition array_position, arrayremove array_remove,
arrayagg array_agg, explode unnest, explodinggenerateseries generate_series, uuid gen_random_uuid,
timestamptrunc date_trunc, widthbucket width_bucket, rand random, bitlength bit_length, jsonextract json_extract_path,
jsonextractscalar json_extract_path_text, currenttimestamp current_timestamp, currentdate current_date,
currenttime current_time
"""
_NAMES = dict(pair.split() for pair in _PARSED.split(","))


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """All functions by name, and which of them are what."""

    by_name: dict[str, Function]
    aggregates: frozenset[str]
    windows: frozenset[str]
    sets: frozenset[str]


@cache
def functions() -> Functions:
    """Return the functions; read when they are first asked for."""
    kinds = [_read(text) for text in (PLAIN, AGGREGATES, WINDOWS, SETS)]
    names = [frozenset(kind) for kind in kinds]
    every = {name: function for kind in kinds for name, function in kind.items()}
    return Functions(by_name=every, aggregates=names[1], windows=names[2], sets=names[3])


def function_name(node: exp.Expr) -> str:
    """Return the name of the function that a node calls, as PostgreSQL knows it."""
    if node.key == "anonymous":
        return str(node.name).lower()
    return _NAMES.get(node.key, node.key)


def is_aggregate(node: exp.Expr) -> bool:
    """Say whether a node calls an aggregate."""
    if not isinstance(node, exp.Func):
        return False
    return function_name(node) in functions().aggregates


def _read(text: str) -> dict[str, Function]:
    found = {}
    for line in text.strip().splitlines():
        names, _, rest = line.partition(":")
        takes, _, gives = rest.partition("->")
        result = gives.strip()
        for name in names.split():
            found[name] = Function(
                name=name,
                takes=tuple(takes.split()),
                gives=result.rstrip("!?"),
                nulls=result[-1] if result[-1] in "!?" else "",
            )
    return found


def aggregates_rows(node: exp.Expr) -> bool:
    """Say whether a call is an aggregate that certainly has a row to compute from: GROUP BY makes groups of rows."""
    if not isinstance(node, exp.Sum | exp.Avg | exp.Min | exp.Max) or isinstance(node.parent, exp.Filter | exp.Window):
        return False
    select = node.parent_select
    group = select.args.get("group") if select is not None else None
    return group is not None and set(filter(group.args.get, group.args)) == {"expressions"}
