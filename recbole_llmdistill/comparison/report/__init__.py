"""From results to tables, figures and pages; nothing here trains."""
