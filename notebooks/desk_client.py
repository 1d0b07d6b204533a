"""What a person's browser does, for the tour: sign in, look at a screen, run an action. And traffic, to watch a deployment under load."""

from threading import Event, Thread
from time import perf_counter

import httpx


class Desk:
    """Somebody who is signed in."""

    def __init__(self, url, email, password):
        self.client = httpx.Client(base_url=url, timeout=30, trust_env=False)
        answer = self.client.post("/session", json={"email": email, "password": password})
        answer.raise_for_status()
        self.client.headers["X-CSRF-Token"] = answer.json()["csrf"]

    def screen(self, name, **inputs):
        """Return the data of a screen."""
        answer = self.client.get(f"/api/screens/{name}", params=inputs)
        answer.raise_for_status()
        return answer.json()

    def act(self, name, **arguments):
        """Run an action and return its result."""
        answer = self.client.post(f"/api/actions/{name}", json=arguments)
        answer.raise_for_status()
        return answer.json()

    def refused(self, name, **arguments):
        """Run an action that is refused, and return what the application says."""
        answer = self.client.post(f"/api/actions/{name}", json=arguments)
        assert answer.is_client_error, answer.text
        return f"{answer.status_code} {answer.json()['title']}: {answer.json()['detail']}"


class Traffic:
    """Asks for a screen again and again while a block runs. A request fails where it is not answered with 200."""

    def __init__(self, desk, screen, workers=4, **inputs):
        self.desk, self.screen, self.inputs, self.workers = desk, screen, inputs, workers
        self.requests, self.failed, self.worst = 0, 0, 0.0
        self.over = Event()

    def __enter__(self):
        self.threads = [Thread(target=self._ask) for _ in range(self.workers)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _ask(self):
        with httpx.Client(
            base_url=self.desk.client.base_url, cookies=self.desk.client.cookies, timeout=30, trust_env=False
        ) as client:
            while not self.over.is_set():
                start = perf_counter()
                try:
                    well = client.get(f"/api/screens/{self.screen}", params=self.inputs).status_code == 200
                except httpx.HTTPError:
                    well = False
                self.requests += 1
                self.failed += not well
                self.worst = max(self.worst, perf_counter() - start)

    def __str__(self):
        return f"{self.requests:,} requests, {self.failed} failed, the slowest took {self.worst * 1000:.0f} ms"
