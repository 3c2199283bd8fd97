"""Every threshold of one cut: values, optima and how stable they are."""
