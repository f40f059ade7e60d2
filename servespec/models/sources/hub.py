"""The Hugging Face Hub: config.json of a pinned revision, cached by huggingface_hub."""

from __future__ import annotations

from pathlib import Path

from servespec.errors import MissingExtraError, SourceError, UnknownModelError
from servespec.models.sources.found import Found, read_json


def read(model: str, revision: str | None) -> Found:
    """The configuration of a Hub model; its revision is the commit that it was resolved to.

    Raises UnknownModelError where the Hub has no such model or revision, SourceError where it cannot be reached or
    refuses, MissingExtraError without huggingface_hub. The token is huggingface_hub's own affair (HF_TOKEN).
    """
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ImportError:
        raise MissingExtraError("huggingface_hub", "hub") from None
    try:
        path = Path(hf_hub_download(model, "config.json", revision=revision))
    except GatedRepoError:
        raise SourceError(
            f"{model} is gated: accept its terms on the Hub and set HF_TOKEN, or give its config.json as model.config"
        ) from None
    except RevisionNotFoundError:
        raise UnknownModelError(f"{model} has no revision {revision} on the Hub") from None
    except RepositoryNotFoundError:
        raise UnknownModelError(
            f"the Hub has no model {model}, or it is private and HF_TOKEN does not open it"
        ) from None
    except LocalEntryNotFoundError:
        raise SourceError(f"the Hub cannot be reached, and {model} is not in its cache") from None
    except EntryNotFoundError:
        raise SourceError(f"{model} has no config.json on the Hub: it is no transformers model") from None
    except HFValidationError as error:
        raise SourceError(f"{model!r} is no Hub id (org/name): {str(error)[:200]}") from None
    except (HfHubHTTPError, OSError) as error:
        raise SourceError(f"the Hub did not give {model}: {str(error).splitlines()[0][:200]}") from None
    commit = path.parent.name
    try:
        beside = Path(hf_hub_download(model, "hf_quant_config.json", revision=commit))
    except (EntryNotFoundError, HfHubHTTPError, OSError):
        beside = None
    return Found(
        config=read_json(path),
        hf_quant_config=read_json(beside) if beside else None,
        source=f"Hub {model}@{commit[:12]}",
        revision=commit,
    )
