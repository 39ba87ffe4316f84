package session

import "sync-sidecar/sidecar"

// live is how a session stands. It may be asked for by any goroutine.
func (s *session) live() sidecar.Live {
	report := s.report(nil)
	report.Status = sidecar.StatusRunning
	report.LogLinesNotStored, report.LogLinesNotShown = s.logs.Lost()
	return sidecar.Live{Report: report, LastOutput: s.watchdog.heard(), LastState: s.recorder.LastSaved()}
}

// live is how a read stands, from what the reader has last published.
func (r *read) live() sidecar.Live {
	live, seen := r.session.live(), r.seen.Load()
	live.Report.Defects = seen.defects
	live.Report.Streams = r.streamReports(seen, nil)
	live.Report.StatesSaved, live.Report.StatesUnsaved = r.recorder.Saved(), r.recorder.Unsaved()
	live.Loads = r.loader.Loads()
	return live
}

// watched lets whoever watches the session ask how it stands.
func (s *session) watched(now func() sidecar.Live) {
	if s.config.Watched != nil {
		s.config.Watched(now)
	}
}
