"""bookshop: an application that was there before, and now has background jobs."""
