//! Finishes the leads of a campaign that has ended.
//!
//! Ending stops dialling at once, by one row; this bulk job then finishes the leads,
//! a thousand a commit, in the order of their ids. Dying in the middle costs nothing:
//! what is finished is not found again.

use async_trait::async_trait;
use futures_util::future::join_all;
use outdial_workflows::ids::{CampaignId, ClientId, LeadId};
use outdial_workflows::input::Input;
use outdial_workflows::workflow::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ctx, Job, JobError};
use crate::store::bulk::{Place, Standing};
use crate::store::{self, StoreError};

/// How many leads are looked at together.
const PAGE: i64 = 1_000;

/// Finishes what is not finished yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndCampaign {
    /// The tenant.
    pub client: ClientId,
    /// The campaign, whose state is `ended` already.
    pub campaign: CampaignId,
    /// Who ended it.
    pub actor: String,
    /// In their words.
    pub reason: Option<String>,
}

#[async_trait]
impl Job for EndCampaign {
    const KIND: &'static str = "end_campaign.v1";
    const SLOTS: usize = 2;
    const TRIES: i16 = 20;

    async fn run(self, ctx: &Ctx) -> Result<(), JobError> {
        let mut after = Place(self.campaign, LeadId(Uuid::nil()));
        loop {
            let page = store::in_time(self.page(ctx, after)).await?;
            let Some(last) = page.last().map(|lead| lead.place) else {
                return Ok(());
            };
            let unfinished = page.into_iter().filter(|lead| lead.state != State::Finished);
            for ended in join_all(unfinished.map(|lead| self.end(ctx, lead.place.1))).await {
                ended?;
            }
            after = last;
        }
    }
}

impl EndCampaign {
    /// The next leads; when there are none, the job is finished.
    async fn page(&self, ctx: &Ctx, after: Place) -> Result<Vec<Standing>, StoreError> {
        let mut conn = ctx.engine.pool().acquire().await?;
        let last = Place(self.campaign, LeadId(Uuid::max()));
        let page = store::bulk::walk(&mut conn, self.client, after, last, PAGE).await?;
        if page.is_empty() {
            let now = ctx.engine.now_in(&mut conn).await?;
            store::queue::finish(&mut conn, self.client, &[ctx.lease], now).await?;
        }
        Ok(page)
    }

    async fn end(&self, ctx: &Ctx, lead: LeadId) -> Result<(), JobError> {
        let ended = Input::CampaignEnded { actor: self.actor.clone(), reason: self.reason.clone() };
        ctx.engine.input(self.client, lead, ended, None).await?;
        Ok(())
    }
}
