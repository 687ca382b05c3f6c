"""The only package that opens sockets: vetted addresses, pinned connections, bounded time and size."""
