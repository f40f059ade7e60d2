"""The Hugging Face Hub: config.json of a pinned revision, cached by huggingface_hub."""

from __future__ import annotations

import re
from pathlib import Path

from servespec.errors import MissingExtraError, SourceError, UnknownModelError
from servespec.models.sources.found import Found, read_json

COMMIT = re.compile(r"[0-9a-f]{40}")


def read(model: str, revision: str | None) -> Found:
    """The configuration of a Hub model; its revision is the commit that it was resolved to.

    A revision that is a commit and in the cache needs no network. Raises UnknownModelError where the Hub has no such
    model or revision, SourceError where it cannot be reached or refuses, MissingExtraError without huggingface_hub.
    The token is huggingface_hub's own affair (HF_TOKEN).
    """
    try:
        from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
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
    # The HTTP library under huggingface_hub has changed over time: its errors are found by their base.
    unreachable: tuple[type[BaseException], ...] = (
        OSError,
        *(
            base
            for base in HfHubHTTPError.__mro__
            if base.__name__ == "HTTPError" and issubclass(base, Exception)
        ),
    )
    nothing: tuple[type[BaseException], ...] = (EntryNotFoundError, HfHubHTTPError, *unreachable)
    try:
        commit = revision if revision is not None and COMMIT.fullmatch(revision) else ""
        cached = try_to_load_from_cache(model, "config.json", revision=commit) if commit else None
        if not isinstance(cached, str):  # asks once, where a download alone would try for half a minute
            url = hf_hub_url(model, "config.json", revision=revision)
            commit = get_hf_file_metadata(url).commit_hash or "main"
            cached = hf_hub_download(model, "config.json", revision=commit)
        path = Path(cached)
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
        raise _unreachable(model) from None
    except EntryNotFoundError:
        raise SourceError(f"{model} has no config.json on the Hub: it is no transformers model") from None
    except HFValidationError as error:
        raise SourceError(f"{model!r} is no Hub id (org/name): {str(error)[:200]}") from None
    except HfHubHTTPError as error:
        raise SourceError(f"the Hub did not give {model}: {str(error).splitlines()[0][:200]}") from None
    except unreachable:
        raise _unreachable(model) from None
    try:
        cached = try_to_load_from_cache(model, "hf_quant_config.json", revision=commit)
        # what is known not to be there comes back as an object that is neither a path nor None
        absent = cached is not None and not isinstance(cached, str)
        beside = None if absent else Path(hf_hub_download(model, "hf_quant_config.json", revision=commit))
    except nothing:
        beside = None
    return Found(
        config=read_json(path),
        hf_quant_config=read_json(beside) if beside else None,
        source=f"Hub {model}@{commit[:12]}",
        revision=commit,
    )


def _unreachable(model: str) -> SourceError:
    return SourceError(
        f"the Hub cannot be reached for {model}: work offline with the catalogue, a folder or model.config"
    )
