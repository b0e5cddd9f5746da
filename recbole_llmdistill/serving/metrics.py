"""What ``/metrics`` tells Prometheus."""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """Numbers of one service, in a registry of their own; among them those of the process, as its memory."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter(
            "llmdistill_requests", "requests by path and status", ["path", "status"], registry=registry
        )
        self.seconds = Histogram(
            "llmdistill_request_seconds", "from the request to its answer, of /recommend", buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.batch_size = Histogram(
            "llmdistill_batch_sequences", "sequences of a batch", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=registry,
        )  # fmt: skip
        self.batch_seconds = Histogram(
            "llmdistill_batch_seconds", "a batch in the model", buckets=_SECONDS, registry=registry
        )
        self.waiting = Gauge("llmdistill_waiting_sequences", "sequences that wait for a batch", registry=registry)
        self.items = Gauge("llmdistill_items", "items that the model recommends", registry=registry)
        self.reloads = Counter("llmdistill_reloads", "new exports by result", ["result"], registry=registry)

    def observe_batch(self, sequences: int, seconds: float) -> None:
        """A batch was computed."""
        self.batch_size.observe(sequences)
        self.batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)
