package metrics

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	service "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// exporter sends what the SDK collects to a collector, by OTLP 1.x over HTTP with protobuf
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp). The SDK's own (otlpmetrichttp) does the same and links gRPC with it, 2.4 MB that nobody uses.
type exporter struct {
	url     string
	headers map[string]string
	client  *http.Client
	timeout time.Duration // of one export, with its retries
}

// Temporality is cumulative, as Prometheus is.
func (e *exporter) Temporality(sdk.InstrumentKind) metricdata.Temporality {
	return metricdata.CumulativeTemporality
}

// Aggregation is the SDK's preset: there are no instruments but the producer's.
func (e *exporter) Aggregation(kind sdk.InstrumentKind) sdk.Aggregation {
	return sdk.DefaultAggregationSelector(kind)
}

// ForceFlush has nothing to do: Export keeps nothing back.
func (e *exporter) ForceFlush(context.Context) error { return nil }

// Shutdown lets connections go.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

// Export sends metrics, again while the collector says that this may help.
func (e *exporter) Export(ctx context.Context, metrics *metricdata.ResourceMetrics) error {
	message, err := proto.Marshal(&service.ExportMetricsServiceRequest{ResourceMetrics: resourceMetrics(metrics)})
	if err != nil {
		return fmt.Errorf("encode metrics: %w", err)
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err = writer.Write(message)
	if err := errors.Join(err, writer.Close()); err != nil {
		return fmt.Errorf("pack metrics: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	_, err = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, e.send(ctx, packed.Bytes()) }, backoff.WithMaxElapsedTime(e.timeout))
	return err
}

// send is one attempt.
func (e *exporter) send(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(err)
	}
	for name, value := range e.headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("Content-Encoding", "gzip")
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	const most = 4 << 10
	said, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	return answered(response, said)
}

// answered is what an answer means: these codes are those that the specification lets a client try again.
func answered(response *http.Response, said []byte) error {
	if response.StatusCode/100 == 2 {
		return nil
	}
	err := fmt.Errorf("the collector answers %s: %q", response.Status, said)
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if seconds, wrong := strconv.Atoi(response.Header.Get("Retry-After")); wrong == nil && seconds > 0 {
			return errors.Join(err, backoff.RetryAfter(seconds))
		}
		return err
	}
	return backoff.Permanent(err)
}
