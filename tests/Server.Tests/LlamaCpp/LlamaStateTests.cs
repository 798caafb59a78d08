using System.Net;

namespace ManagedTransformers.Server.Tests;

/// <summary>GET /props and /slots of llama.cpp.</summary>
public sealed class LlamaStateTests : LlamaTests
{
    [Test]
    public async Task Props_say_how_much_the_model_reads()
    {
        (_, JsonElement props) = await Server.GetAsync("/props");
        JsonElement settings = props.GetProperty("default_generation_settings");
        Assert.That((Count(settings, "n_ctx"), Count(props, "total_slots"), props.GetProperty("model_alias").GetString()),
            Is.EqualTo((512, 32, "demo-codegen")));
        JsonElement usual = settings.GetProperty("params");
        Assert.That((usual.GetProperty("temperature").GetDouble(), Count(usual, "top_k"), Count(usual, "n_predict")), Is.EqualTo((0.8, 40, -1)));
        Assert.That(props.GetProperty("eos_token").GetString(), Is.EqualTo("<|endoftext|>"));
        Assert.That(props.GetRawText(), Does.Not.Contain(RepositoryRoot.Path), "where a model lies is not said");
        (_, JsonElement embed) = await Server.GetAsync("/props?model=demo-embed");
        Assert.That((embed.GetProperty("model_alias").GetString(), Count(embed, "total_slots")), Is.EqualTo(("demo-embed", 0)));
        (HttpStatusCode status, JsonElement error) = await Server.GetAsync("/props?modle=demo-embed");
        Assert.That((status, error.GetProperty("error").GetProperty("message").GetString()),
            Is.EqualTo((HttpStatusCode.BadRequest, "The query has 'modle', which is not known here. Leave it out.")));
    }

    [Test]
    public async Task Slots_say_what_runs()
    {
        await using LlamaServer server = await LlamaServer.StartAsync(rows: 1, isSlow: true);
        (_, JsonElement idle) = await server.GetAsync("/slots?fail_on_no_slot=1&model=demo-codegen");
        Assert.That(idle.EnumerateArray().Select(slot => (Count(slot, "id"), slot.GetProperty("is_processing").GetBoolean(), Count(slot, "n_ctx"))),
            Is.EqualTo(new[] { (0, false, 512) }));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/completion")
        {
            Content = new StringContent("""{"prompt": "secret = ", "ignore_eos": true, "stream": true}""", Encoding.UTF8, "application/json"),
        };
        using (HttpResponseMessage stream = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        {
            (HttpStatusCode status, JsonElement error) = await server.GetAsync("/slots?fail_on_no_slot=1");
            Assert.That((status, error.GetProperty("error").GetProperty("message").GetString()),
                Is.EqualTo((HttpStatusCode.ServiceUnavailable, "no slot available")));
            (_, JsonElement busy) = await server.GetAsync("/slots");
            Assert.That((busy[0].GetProperty("is_processing").GetBoolean(), Count(busy[0], "id_task"), Count(busy[0], "n_prompt_tokens")),
                Is.EqualTo((true, 1, server.Generator.Encode("secret = ").Length)));
            Assert.That(busy.GetRawText(), Does.Not.Contain("secret"));
            while (Count(busy[0].GetProperty("next_token")[0], "n_decoded") < 2)
                (_, busy) = await server.GetAsync("/slots");
        }
        // Who goes away frees the row.
        for (int i = 0; i < 500 && (await server.GetAsync("/slots")).Body[0].GetProperty("is_processing").GetBoolean(); i++)
            await Task.Delay(10);
        Assert.That((await server.GetAsync("/slots?fail_on_no_slot=1")).Status, Is.EqualTo(HttpStatusCode.OK));
    }
}
