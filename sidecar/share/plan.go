package share

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/jsonobject"
)

// entry is what a plan says of a stream.
type entry struct {
	Events int64          `json:"events"`
	Bytes  int64          `json:"bytes"`
	Status sidecar.Status `json:"status"`
	Error  string         `json:"error,omitempty"`
	Shard  *int           `json:"shard"`
}

// NewPlan is the description of a whole task that has not begun. Shards are those of the streams, by their positions.
func NewPlan(streams []string, shards []int) (string, error) {
	members := make([]jsonobject.Member, len(streams))
	for i, stream := range streams {
		value, err := json.Marshal(entry{Status: sidecar.StatusPending, Shard: &shards[i]})
		if err != nil {
			return "", err
		}
		members[i] = jsonobject.Member{Name: stream, Value: value}
	}
	plan, err := jsonobject.Join(members)
	return string(plan), err
}

// errNoPlan is that of a task which was not shared out, or whose description another program has replaced.
var errNoPlan = errors.New("its description does not say which shard reads what: another program has written it, or it is the task of a read that " +
	"is not shared out; give this one another TASK_ID")

// Shards are those of the streams of a plan.
func Shards(plan string) (map[string]int, error) {
	var streams map[string]entry
	if err := json.Unmarshal([]byte(plan), &streams); err != nil {
		return nil, errNoPlan
	}
	shards := make(map[string]int, len(streams))
	for stream, said := range streams {
		if said.Shard == nil {
			return nil, errNoPlan
		}
		shards[stream] = *said.Shard
	}
	return shards, nil
}

// Part is what the row of a shard's task says. The zero value is of a shard that has not begun.
type Part struct {
	Status      sidecar.Status
	Description string
	Error       string
}

// Sum is what the parts, by the index of their shards, say of the whole task: RUNNING until all have ended, and then what the verdict on a read that
// is not shared out would be (verdict.Decide): SUCCESS when all are; CANCELLED or TIME_EXCEEDED when one is; PARTIAL when some of it arrived.
func Sum(plan string, parts []Part) (sidecar.TaskRecord, error) {
	shards, err := Shards(plan)
	if err != nil {
		return sidecar.TaskRecord{}, err
	}
	whole := sum{streams: map[int]int{}, statuses: map[sidecar.Status]int{}}
	for _, shard := range shards {
		whole.streams[shard]++
	}
	described, err := whole.describe(plan, shards, parts)
	if err != nil {
		return sidecar.TaskRecord{}, err
	}
	for index, part := range parts {
		whole.add(index, part)
	}
	status := whole.status()
	record := sidecar.TaskRecord{Status: status, Description: described}
	if status != sidecar.StatusRunning && status != sidecar.StatusSuccess {
		record.Error = whole.error()
	}
	return record, nil
}

// describe is the plan with what the parts say of their streams. A stream that a shard, which ended well, says nothing of was not there when that
// shard's connector was asked: it was not read. One that was still to be read when its shard ended has failed with it.
func (s *sum) describe(plan string, shards map[string]int, parts []Part) (string, error) {
	said := make([]map[string]json.RawMessage, len(parts))
	for i, part := range parts {
		if json.Unmarshal([]byte(part.Description), &said[i]) != nil {
			said[i] = nil // nothing yet, or words of another program
		}
	}
	members, err := jsonobject.Split([]byte(plan))
	if err != nil {
		return "", err
	}
	for i, member := range members {
		shard := shards[member.Name]
		if shard < 0 || shard >= len(parts) {
			continue
		}
		value := said[shard][member.Name]
		if value == nil && parts[shard].Status == sidecar.StatusSuccess {
			s.missed++
			value, err = json.Marshal(entry{Status: sidecar.StatusFailed, Error: fmt.Sprintf("the connector did not name it to shard %d", shard)})
			if err != nil {
				return "", err
			}
		}
		if value == nil {
			value = member.Value
		}
		if members[i].Value, err = ofShard(value, shard, parts[shard].Status); err != nil {
			return "", err
		}
	}
	whole, err := jsonobject.Join(members)
	return string(whole), err
}

// ofShard is what is said of a stream, with the index of its shard, and with an end when that one has ended.
func ofShard(value json.RawMessage, shard int, ended sidecar.Status) (json.RawMessage, error) {
	members, err := jsonobject.Split(value)
	if err != nil {
		return nil, err
	}
	index, err := json.Marshal(shard)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(members, func(m jsonobject.Member) bool { return m.Name == "shard" })
	if at < 0 {
		at = len(members)
		members = append(members, jsonobject.Member{Name: "shard"})
	}
	members[at].Value = index
	at = slices.IndexFunc(members, func(m jsonobject.Member) bool { return m.Name == "status" })
	if at >= 0 && onItsWay(textOf(members[at].Value)) && ended != "" && !onItsWay(ended) {
		end := sidecar.StatusFailed
		if ended == sidecar.StatusCancelled {
			end = ended
		}
		if members[at].Value, err = json.Marshal(end); err != nil {
			return nil, err
		}
	}
	return jsonobject.Join(members)
}

// textOf is a status as JSON has it; none of ours when it is no text.
func textOf(value json.RawMessage) (status sidecar.Status) {
	if json.Unmarshal(value, &status) != nil {
		return "unknown"
	}
	return status
}

func onItsWay(status sidecar.Status) bool {
	return status == sidecar.StatusPending || status == sidecar.StatusRunning
}
