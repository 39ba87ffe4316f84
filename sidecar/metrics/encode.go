package metrics

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
)

// resourceMetrics are the SDK's data as OTLP has them.
func resourceMetrics(metrics *metricdata.ResourceMetrics) []*otlp.ResourceMetrics {
	encoded := &otlp.ResourceMetrics{Resource: &resource.Resource{Attributes: attributes(metrics.Resource.Set())}}
	for _, scope := range metrics.ScopeMetrics {
		one := &otlp.ScopeMetrics{Scope: &common.InstrumentationScope{Name: scope.Scope.Name, Version: scope.Scope.Version}}
		for _, metric := range scope.Metrics {
			if m := encode(metric); m != nil {
				one.Metrics = append(one.Metrics, m)
			}
		}
		encoded.ScopeMetrics = append(encoded.ScopeMetrics, one)
	}
	return []*otlp.ResourceMetrics{encoded}
}

// encode is nil for what Prometheus' registry has no kind of.
func encode(metric metricdata.Metrics) *otlp.Metric {
	m := &otlp.Metric{Name: metric.Name, Description: metric.Description, Unit: metric.Unit}
	switch data := metric.Data.(type) {
	case metricdata.Gauge[float64]:
		m.Data = &otlp.Metric_Gauge{Gauge: &otlp.Gauge{DataPoints: numbers(data.DataPoints)}}
	case metricdata.Sum[float64]:
		m.Data = &otlp.Metric_Sum{Sum: &otlp.Sum{DataPoints: numbers(data.DataPoints), IsMonotonic: data.IsMonotonic, AggregationTemporality: cumulative}}
	case metricdata.Summary:
		m.Data = &otlp.Metric_Summary{Summary: &otlp.Summary{DataPoints: summaries(data.DataPoints)}}
	case metricdata.Histogram[float64]:
		m.Data = &otlp.Metric_Histogram{Histogram: &otlp.Histogram{DataPoints: histograms(data.DataPoints), AggregationTemporality: cumulative}}
	default:
		return nil
	}
	return m
}

const cumulative = otlp.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE

func numbers(points []metricdata.DataPoint[float64]) []*otlp.NumberDataPoint {
	encoded := make([]*otlp.NumberDataPoint, len(points))
	for i, p := range points {
		encoded[i] = &otlp.NumberDataPoint{Attributes: attributes(&p.Attributes), StartTimeUnixNano: nanos(p.StartTime), TimeUnixNano: nanos(p.Time),
			Value: &otlp.NumberDataPoint_AsDouble{AsDouble: p.Value}}
	}
	return encoded
}

func summaries(points []metricdata.SummaryDataPoint) []*otlp.SummaryDataPoint {
	encoded := make([]*otlp.SummaryDataPoint, len(points))
	for i, p := range points {
		encoded[i] = &otlp.SummaryDataPoint{Attributes: attributes(&p.Attributes), StartTimeUnixNano: nanos(p.StartTime), TimeUnixNano: nanos(p.Time),
			Count: p.Count, Sum: p.Sum}
		for _, q := range p.QuantileValues {
			encoded[i].QuantileValues = append(encoded[i].QuantileValues, &otlp.SummaryDataPoint_ValueAtQuantile{Quantile: q.Quantile, Value: q.Value})
		}
	}
	return encoded
}

func histograms(points []metricdata.HistogramDataPoint[float64]) []*otlp.HistogramDataPoint {
	encoded := make([]*otlp.HistogramDataPoint, len(points))
	for i, p := range points {
		encoded[i] = &otlp.HistogramDataPoint{Attributes: attributes(&p.Attributes), StartTimeUnixNano: nanos(p.StartTime), TimeUnixNano: nanos(p.Time),
			Count: p.Count, Sum: &p.Sum, BucketCounts: p.BucketCounts, ExplicitBounds: p.Bounds}
	}
	return encoded
}

// attributes are all as text: labels are, and so are those of the environment.
func attributes(set *attribute.Set) []*common.KeyValue {
	encoded := make([]*common.KeyValue, 0, set.Len())
	for _, one := range set.ToSlice() {
		value := &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: one.Value.String()}}
		encoded = append(encoded, &common.KeyValue{Key: string(one.Key), Value: value})
	}
	return encoded
}

// nanos is 0 for a time that is not known.
func nanos(at time.Time) uint64 {
	if at.IsZero() {
		return 0
	}
	return uint64(at.UnixNano())
}
