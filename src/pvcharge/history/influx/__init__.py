"""The way into InfluxDB or VictoriaMetrics: what is sent, and how it gets there whatever happens."""
