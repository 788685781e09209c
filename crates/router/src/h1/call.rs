//! One request sent on over a wire, as far as the head of its answer, whatever its visitor speaks.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use http::StatusCode;

use crate::compress::Encoder;
use crate::course::{Boarding, Course, Place, Setback, may_repeat};
use crate::endpoint::Flight;
use crate::h1::answer::{Answer, Garbled, Head};
use crate::h1::ask::Ask;
use crate::h1::buffer::Buffer;
use crate::h1::caller::{Break, Caller};
use crate::h1::send::SendError;
use crate::h1::wire::Wire;
use crate::interim::Interims;
use crate::page::Failure;
use crate::reach::reach;
use crate::shared::Shared;
use crate::stream::is_lost;

/// Why there is no answer.
pub(crate) enum Unanswered {
    /// Nobody waits for one any more.
    Gone,
    /// See there.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Unanswered {
    fn from(failure: E) -> Self {
        Self::Failed(failure.into())
    }
}

/// The beginning of an answer.
pub(crate) struct Arrived<H> {
    /// What it is.
    pub(crate) answer: Answer,
    /// The same as a number of its own kind.
    pub(crate) status: StatusCode,
    /// What compresses its body, if its head says that it is.
    pub(crate) encoder: Option<Encoder>,
    /// The head as the visitor shall see it.
    pub(crate) head: H,
    /// What came of the body.
    pub(crate) buffer: Buffer,
    /// What it comes over.
    pub(crate) wire: Wire,
    /// Counts the request.
    pub(crate) flight: Flight,
}

/// The answer, what compresses its body, its head as the visitor shall see it, and what of the body came along.
type Heard<H> = (Answer, Option<Encoder>, H, Buffer);

/// A request on its way.
pub(crate) struct Call<'a, C> {
    /// See there.
    pub(crate) shared: &'a Shared,
    /// Who waits.
    pub(crate) caller: &'a mut C,
    /// For what.
    pub(crate) ask: &'a Ask,
}

impl<C: Caller> Call<'_, C> {
    /// Tries one place after the other on `course`, `first` first.
    pub(crate) async fn run(
        mut self,
        course: &mut Course<'_>,
        first: Boarding,
    ) -> Result<Arrived<C::Head>, Unanswered> {
        let mut first = if let Boarding::Place(place) = first { Some(place) } else { None };
        loop {
            let place = match first.take() {
                Some(place) => Some(place),
                None => course.place()?,
            };
            match place {
                Some(place) => {
                    if let Some(arrived) = self.try_at(course, place).await? {
                        return Ok(arrived);
                    }
                }
                None => course.wait().await?,
            }
        }
    }

    /// Tries one place. None if another is to be tried.
    async fn try_at(
        &mut self,
        course: &mut Course<'_>,
        place: Place,
    ) -> Result<Option<Arrived<C::Head>>, Unanswered> {
        let Place { flight, connect, answer: patience, .. } = place;
        let endpoint = flight.endpoint();
        let kept = match course.longest_idle() {
            Some(longest) => endpoint.wires.take(self.shared.clock.now(), longest).await,
            None => None,
        };
        let open = || Wire::connect(endpoint.address, endpoint.tls.as_ref(), connect);
        let wire = match kept {
            Some(wire) => Some(wire),
            None => reach(self.shared, course, endpoint, open).await?,
        };
        let Some(mut wire) = wire else { return Ok(None) };
        self.caller.allow(patience);
        match self.exchange(&mut wire).await {
            Ok((answer, encoder, head, buffer)) => {
                let status = StatusCode::from_u16(answer.status).map_err(|_| Failure::Garbled)?;
                course.answered(endpoint, status);
                Ok(Some(Arrived { answer, status, encoder, head, buffer, wire, flight }))
            }
            Err(Break::Client) => Err(Unanswered::Gone),
            Err(Break::Bad(failure)) => Err(Unanswered::Failed(failure)),
            Err(Break::Late) if self.shared.ending.is_cancelled() => Err(Unanswered::Gone),
            Err(Break::Late) => Err(course.late(endpoint).into()),
            Err(Break::Endpoint(setback)) => {
                tracing::debug!(address = %endpoint.address, ?setback, "an exchange failed");
                let may_repeat = may_repeat(self.ask.is_idempotent, self.caller.is_body_gone());
                course.failed(endpoint, setback, may_repeat)?;
                Ok(None)
            }
        }
    }

    /// The answer's head, what compresses what follows, and what of that came with it.
    async fn exchange(&mut self, wire: &mut Wire) -> Result<Heard<C::Head>, Break> {
        let is_new = !std::mem::replace(&mut wire.is_used, true);
        let unanswered = Setback::Unanswered { is_new };
        let mut count = 0;
        match self.caller.send_on(self.ask, wire, &mut count).await {
            Ok(()) => {}
            Err(SendError::Overdue) => return Err(Break::Late),
            Err(SendError::Broken(error)) => {
                let otherwise = if count == 0 { Setback::Unsent } else { unanswered };
                return Err(Break::Endpoint(setback(&error, otherwise)));
            }
        }
        let (mut buffer, mut interims) = (None, Interims::default());
        loop {
            match poll_fn(|context| self.poll_answer(context, wire, &mut buffer)).await? {
                Ok(1..) => {}
                Ok(_) => return Err(Break::Endpoint(unanswered)),
                Err(error) => return Err(Break::Endpoint(setback(&error, unanswered))),
            }
            if let Some(heard) = self.hear(&mut buffer, &mut interims).await? {
                return Ok(heard);
            }
        }
    }

    /// Reads the heads that `buffer` holds and passes interim ones on. None if the answer's is not all there: then `buffer` has
    /// room for more.
    async fn hear(
        &mut self,
        buffer: &mut Option<Buffer>,
        interims: &mut Interims,
    ) -> Result<Option<Heard<C::Head>>, Break> {
        let (ask, shared, garbled) = (self.ask, self.shared, Break::Endpoint(Setback::Garbled));
        let (wish, terms) = (self.caller.wish(ask), ask.terms(&shared.encoders));
        while let Some(mut arrived) = buffer.take_if(|buffer| !buffer.is_empty()) {
            let mut head = C::Head::default();
            match Answer::read(arrived.filled(), wish, terms, &mut head) {
                Ok(Some((Head::Final(answer), encoder))) => {
                    arrived.consume(answer.head_bytes);
                    let is_good = answer.begins_well(arrived.filled());
                    return is_good.then_some(Some((answer, encoder, head, arrived))).ok_or(garbled);
                }
                Ok(Some((Head::Interim(length), _))) if interims.take(length) => {
                    self.caller.tell(head).await?;
                    arrived.consume(length);
                    *buffer = Some(arrived);
                }
                Ok(None) => {
                    arrived.compact();
                    *buffer = Some(arrived.with_room().ok_or(garbled)?);
                    break;
                }
                Ok(Some((Head::Interim(_), _))) | Err(Garbled) => return Err(garbled),
            }
        }
        Ok(None)
    }

    /// Reads from the endpoint; meanwhile takes note of a client that leaves.
    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        wire: &mut Wire,
        buffer: &mut Option<Buffer>,
    ) -> Poll<Result<io::Result<usize>, Break>> {
        let mut arriving = buffer.take().unwrap_or_else(|| self.caller.buffer());
        let polled = arriving.poll_fill(context, &mut wire.stream);
        *buffer = Some(arriving).filter(|arriving| !arriving.is_empty());
        match polled {
            Poll::Ready(read) => Poll::Ready(Ok(read)),
            Poll::Pending => match self.caller.poll_break(context, wire) {
                Some(reason) => Poll::Ready(Err(reason)),
                None => Poll::Pending,
            },
        }
    }
}

fn setback(error: &io::Error, otherwise: Setback) -> Setback {
    if is_lost(error) { Setback::Lost } else { otherwise }
}
