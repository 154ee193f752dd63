using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>A protocol whose ids are at one place in requests and at another in answers: each is written at its own, and copies are sent as of any other.</summary>
public sealed class TwoPlacesTests
{
    private const short Once = 1;
    private const short Repeatable = 3;

    [Fact]
    public async Task Clients_WithTheSameIds_GetTheirOwnAnswers()
    {
        await using TwoPlacesMesh mesh = await TwoPlacesMesh.StartAsync("forward: {cluster: main}");
        (PlacedEnd one, PlacedEnd two) = (await mesh.ConnectAsync(), await mesh.ConnectAsync());

        await one.AskAsync(Once, 7, "first");
        PlacedCall first = await mesh.NextAsync();
        await two.AskAsync(Once, 7, "second");
        PlacedCall second = await mesh.NextAsync();
        second.Connection.ShouldBeSameAs(first.Connection);
        second.Request.Id.ShouldNotBe(first.Request.Id);
        ((first.Request.Key, first.Request.Body), (second.Request.Key, second.Request.Body)).ShouldBe(((Once, "first"), (Once, "second")));

        string answer = new('x', 200_000);
        await second.AnswerAsync("to the second");
        await first.AnswerAsync(answer);
        (await two.ReadAnswerAsync()).ShouldBe((7u, "to the second"));
        (await one.ReadAnswerAsync()).ShouldBe((7u, answer));
    }

    [Fact]
    public async Task Request_OfAServerThatLeaves_IsTriedAgain()
    {
        await using TwoPlacesMesh mesh = await TwoPlacesMesh.StartAsync("forward: {cluster: both}, policies: {retry: {num_retries: 1, budget_percent: {value: 100}}}");
        PlacedEnd client = await mesh.ConnectAsync();

        await client.AskAsync(Repeatable, 7, "which");
        PlacedCall first = await mesh.NextAsync();
        first.Connection.Dispose();
        PlacedCall again = await mesh.NextAsync();

        again.Server.ShouldNotBe(first.Server);
        (again.Request.Key, again.Request.Body).ShouldBe((Repeatable, "which"));
        await again.AnswerAsync("this");
        (await client.ReadAnswerAsync()).ShouldBe((7u, "this"));
    }

    [Fact]
    public async Task Request_OfASlowServer_IsHedged_AndItsLateAnswerIsNobodys()
    {
        await using TwoPlacesMesh mesh = await TwoPlacesMesh.StartAsync("forward: {cluster: both}, policies: {hedge: {delay: 0.1s, budget_percent: {value: 100}}}");
        PlacedEnd client = await mesh.ConnectAsync();

        await client.AskAsync(Repeatable, 7, "which");
        PlacedCall first = await mesh.NextAsync();
        PlacedCall copy = await mesh.NextAsync();

        copy.Server.ShouldNotBe(first.Server);
        (copy.Request.Key, copy.Request.Body).ShouldBe((first.Request.Key, first.Request.Body));
        await copy.AnswerAsync("the copy");
        (await client.ReadAnswerAsync()).ShouldBe((7u, "the copy"));
        await first.AnswerAsync("too late");
        await client.AskAsync(Once, 8, "next");
        await (await mesh.NextAsync()).AnswerAsync("on");
        (await client.ReadAnswerAsync()).ShouldBe((8u, "on"));
    }

    [Fact]
    public async Task Request_IsMirrored_AndTheCopysAnswerIsNobodys()
    {
        await using TwoPlacesMesh mesh = await TwoPlacesMesh.StartAsync("forward: {cluster: main}, policies: {mirrors: [{cluster: other}]}");
        PlacedEnd client = await mesh.ConnectAsync();

        await client.AskAsync(Once, 7, "which");
        PlacedCall[] calls = [await mesh.NextAsync(), await mesh.NextAsync()];

        calls.Select(static call => (call.Request.Key, call.Request.Body)).ShouldBe([(Once, "which"), (Once, "which")]);
        await calls.Single(static call => call.Server == 1).AnswerAsync("the mirror");
        await calls.Single(static call => call.Server == 0).AnswerAsync("the server");
        (await client.ReadAnswerAsync()).ShouldBe((7u, "the server"));
    }

    [Fact]
    public async Task Request_WithoutAnAnswerInTime_IsToldByItsId()
    {
        await using TwoPlacesMesh mesh = await TwoPlacesMesh.StartAsync("forward: {cluster: main}, policies: {timeout: 0.5s}");
        PlacedEnd client = await mesh.ConnectAsync();

        await client.AskAsync(Once, 7, "which");

        (await client.ReadAnswerAsync()).ShouldBe((7u, "proxy: Timeout"));
    }
}
