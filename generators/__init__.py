"""Known truth -> bytes: traffic whose truth is known by construction."""
