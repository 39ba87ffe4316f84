package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// outgoing is a call.
type outgoing struct {
	name   string
	number int64
	// prepare makes its body anew each time that it is sent.
	prepare func(ctx context.Context) (sending, error)
}

// sending is the body of a call, for one time that it is sent.
type sending struct {
	body    io.ReadCloser
	trailer http.Header // filled in when the body was read; nil for none
	// failed is what went wrong with reading the body; nil for what cannot go wrong.
	failed func() error
	// release waits until nobody reads the body any more, after the context of prepare has ended.
	release func()
}

// call makes a call whose argument and value are JSON; value may be nil.
func (l *line) call(ctx context.Context, name string, argument, value any) error {
	text, err := json.Marshal(argument)
	if err != nil {
		return fmt.Errorf("encode what the local folder is told: %w", err)
	}
	calling, cancel := untilCancelled(ctx)
	defer cancel()
	return l.send(ctx, calling, name, value, func(context.Context) (sending, error) {
		return sending{body: io.NopCloser(bytes.NewReader(text)), failed: func() error { return nil }, release: func() {}}, nil
	})
}

// untilCancelled is ctx without its deadline, which is the Host's to mind as it would be local.Folder's: some of what that does must not stop in the
// middle.
func untilCancelled(ctx context.Context) (context.Context, func()) {
	calling, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel(context.Cause(ctx))
		}
	})
	return calling, func() {
		stop()
		cancel(nil)
	}
}

// send makes a call: ctx is the caller's, and calling ends the call.
func (l *line) send(ctx, calling context.Context, name string, value any, prepare func(context.Context) (sending, error)) error {
	call := outgoing{name: name, number: l.begin(), prepare: prepare}
	defer l.done(call.number)
	got, sent, err := l.transmit(ctx, calling, call)
	if err == nil {
		return got.into(value)
	}
	if name == callSettle || !sent || l.lost() != nil {
		return err
	}
	settled, settleErr := l.settle(ctx, call.number)
	switch {
	case settleErr == nil && !settled.Void:
		return settled.into(value)
	case settleErr != nil && name == callLoad && ctx.Err() == nil:
		l.set(nil, &goneError{fmt.Sprintf("whether rows have arrived cannot be found out: %v", settleErr)}) // they must not be sent again
	}
	return err
}

// settle waits until a call that was given up has ended, so that whoever looks sees what stays, and returns its answer: it may have been done all the
// same. One that has not begun never will.
func (l *line) settle(ctx context.Context, number int64) (settled answer, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	err = l.call(ctx, callSettle, number, &settled)
	return settled, err
}

// transmit sends a call. When its connection breaks it is sent again on the next one, for which it waits until ctx ends. sent says that the Host may
// have got it.
func (l *line) transmit(ctx, calling context.Context, call outgoing) (got answer, sent bool, err error) {
	within := ""
	if until, bounded := ctx.Deadline(); bounded {
		within = time.Until(until).String()
	}
	var conn *http.ClientConn
	var broken error
	for range sendings {
		if conn, err = l.connection(ctx, conn); err != nil {
			return answer{}, sent, err
		}
		got, err = l.exchange(calling, conn, call, within)
		switch sent = true; {
		case err == nil:
			return got, sent, nil
		case calling.Err() != nil:
			return answer{}, sent, context.Cause(calling)
		case errors.As(err, new(*unsendable)):
			return answer{}, sent, err
		}
		broken = err
	}
	return answer{}, sent, fmt.Errorf("reach the local folder of the run: %w", broken)
}

// unsendable is why a call cannot be sent on any connection.
type unsendable struct{ cause error }

// Error is the text of the cause.
func (e *unsendable) Error() string { return e.cause.Error() }

// Unwrap is the cause.
func (e *unsendable) Unwrap() error { return e.cause }

// exchange sends a call on a connection, and receives its answer. within is how long the Host may take; empty is no limit.
func (l *line) exchange(ctx context.Context, conn *http.ClientConn, call outgoing, within string) (_ answer, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sent, err := call.prepare(ctx)
	if err != nil {
		return answer{}, &unsendable{err}
	}
	defer func() {
		if failed := sent.failed(); failed != nil && err != nil {
			err = &unsendable{failed}
		}
		cancel()
		sent.release()
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+"/"+call.name, sent.body)
	if err != nil {
		return answer{}, &unsendable{err}
	}
	request.Trailer = sent.trailer
	for name, text := range map[string]string{headerClient: l.client, headerNumber: strconv.FormatInt(call.number, 10),
		headerOldest: strconv.FormatInt(l.oldest(), 10), headerWithin: within} {
		request.Header.Set(name, text)
	}
	response, err := conn.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return answer{}, err
	}
	if response.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("it answers %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	var got answer
	if err := decode(text, &got); err != nil {
		return answer{}, err
	}
	return got, nil
}

// into reads the value of an answer, or is its error. value may be nil.
func (a answer) into(value any) error {
	if a.Error != nil || value == nil || a.Value == nil {
		return a.Error.err()
	}
	return decode(a.Value, value)
}
