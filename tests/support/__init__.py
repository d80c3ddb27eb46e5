"""What tests stand on, and no test itself: real servers, started on demand, never left behind."""
