"""What tokens cost and how much a model can read, where that is known.

Asks the maintained table of `genai-prices` (it comes with the extra `[llm]`). Without it, or for a
model it does not list, the answer is None: unknown, which is not zero.
"""

import msgspec

from agentrun.core.outcome import Usage

_PROVIDER = {"claude": "anthropic", "codex": "openai", "gemini": "google"}


def priced(usage: Usage, asked: str | None, cli: str) -> Usage:
    """Return the usage with its model and price, as far as they are known."""
    model = usage.model or asked
    if usage.usd is not None or model is None:
        return msgspec.structs.replace(usage, model=model)
    usd = usd_of(usage, model, _PROVIDER.get(cli))
    return msgspec.structs.replace(usage, model=model, usd=usd)


def usd_of(usage: Usage, model: str, provider: str | None) -> float | None:
    """Return the price of a usage in US dollars, or None."""
    try:
        import genai_prices
    except ImportError:
        return None
    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=min(usage.cached_tokens, usage.input_tokens),
        output_tokens=usage.output_tokens,
    )
    try:
        price = genai_prices.calc_price(tokens, model, provider_id=provider)
    except (LookupError, ValueError):
        return None
    return float(price.total_price)


def context_tokens(model: str | None) -> int | None:
    """Return the size of a model's context, or None. `model` may be `provider:name`."""
    if model is None:
        return None
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        return None
    provider, _, name = model.rpartition(":")
    try:
        _, found = get_snapshot().find_provider_model(name, None, provider or None, None)
    except LookupError:
        return None
    return found.context_window
