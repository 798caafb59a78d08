using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace ManagedTransformers.Server.Tests;

/// <summary>What bodies are read, and what is said of the others.</summary>
public sealed class RequestTests
{
    private static readonly Dictionary<string, FieldEntry> s_fields = new()
    {
        ["n"] = new FieldEntry { Status = EntryStatus.Supported },
        ["max_tokens"] = new FieldEntry { Status = EntryStatus.Supported },
        ["n_predict"] = new FieldEntry { Status = EntryStatus.Aliased },
        ["user"] = new FieldEntry { Status = EntryStatus.ByDesign },
        ["mirostat"] = new FieldEntry { Status = EntryStatus.Refused, Note = "there is no such sampler.", Neutral = [JsonElement.Parse("0")] },
        ["format"] = new FieldEntry { Status = EntryStatus.Refused, Note = "there is one.", Neutral = [JsonElement.Parse("\"text\"")] },
    };

    [TestCase("""{"n": 2, "user": "x", "mirostat": 0, "max_tokens": null}""", 2)]
    [TestCase("""{"n": 2.0}""", 2, Description = "an integer, as in JSON Schema")]
    [TestCase("{}", null)]
    public async Task A_body_of_known_fields_is_read(string body, int? n)
    {
        RequestFields fields = await ReadAsync(body);
        int? read = fields.Integer("n", 1, 16);
        fields.RefuseOthers();
        Assert.That(read, Is.EqualTo(n));
    }

    [TestCase("", "The body is no JSON")]
    [TestCase("[1]", "The body is no JSON object.")]
    [TestCase("""{"n": 1""", "The body is no JSON")]
    [TestCase("""{"n": 1, "n": 2}""", "Duplicate", Description = "which of them is meant?")]
    [TestCase("""{"\ud800": 1}""", "The body is no JSON", Description = "half a surrogate pair")]
    [TestCase("""{"n": "2"}""", "Field 'n': type must be integer, but is string")]
    [TestCase("""{"n": 17}""", "Field 'n': Value must be between 1 <= value <= 16, but got 17")]
    [TestCase("""{"max_token": 1}""", "Field 'max_token' is not known here; the nearest is 'max_tokens'. Leave it out.")]
    [TestCase("""{"mirostat": 2}""", "Field 'mirostat' is not supported: there is no such sampler.")]
    [TestCase("""{"format": "\ud800"}""", "Field 'format' is not supported: there is one.", Description = "half a surrogate pair")]
    [TestCase("""{"max_tokens": 1, "n_predict": 2}""", "Fields 'max_tokens' and 'n_predict' mean the same and differ; give one of them.")]
    public async Task A_body_that_is_wrong_is_refused_with_what_is_wrong(string body, string message)
    {
        ApiException? error = await Assert.ThrowsAsync<ApiException>(async () =>
        {
            RequestFields fields = await ReadAsync(body);
            fields.Integer("n", 1, 16);
            fields.Alias("max_tokens", "n_predict");
            fields.RefuseOthers();
        });
        Assert.That(error!.Problem, Is.EqualTo(Problem.Invalid));
        Assert.That(error!.Message, Does.Contain(message));
    }

    [Test]
    public async Task A_body_that_is_not_UTF8_is_refused_wherever_the_byte_is([Values("{\"n\u00ff\": 1}", "{\"user\": \"\u00ff\"}")] string latin1)
    {
        ApiException? error = await Assert.ThrowsAsync<ApiException>(() => ReadAsync(Encoding.Latin1.GetBytes(latin1)));
        Assert.That((error!.Problem, error.Message), Is.EqualTo((Problem.Invalid, "The body is no JSON: it is not UTF-8.")));
    }

    [Test]
    public void What_a_loaded_model_cannot_do_is_not_a_failure_of_the_server()
    {
        Assert.That(ApiRunner.ErrorOf(new ConfigException("suffix/infilling is not supported by this model"), isLate: false).Problem,
            Is.EqualTo(Problem.NotSupported));
        Assert.That(ApiRunner.ErrorOf(Assert.Throws<ArgumentException>(() => Path.GetFullPath("a\0"))!, isLate: false).Message, Does.Not.Contain("Parameter"),
            "a method's parameter is nothing that a client knows");
        Assert.That(ApiRunner.ErrorOf(Assert.Throws<ArgumentNullException>(() => Path.GetFullPath(null!))!, isLate: false).Problem,
            Is.EqualTo(Problem.Server), "the server's own mistake");
        Assert.That(ApiRunner.ErrorOf(new TokenizerException("There is no id 99999."), isLate: false).Problem, Is.EqualTo(Problem.Invalid));
    }

    private static Task<RequestFields> ReadAsync(string body) => ReadAsync(Encoding.UTF8.GetBytes(body));

    private static async Task<RequestFields> ReadAsync(byte[] body)
    {
        var http = new DefaultHttpContext { Request = { Body = new MemoryStream(body) } };
        var options = new ServerOptions { Models = [Path.Combine(RepositoryRoot.Path, "models", "demo-codegen")] };
        await using var host = new ModelHost(options.ToHost());
        var models = new ServerModels(options, new LocalBackend(host), NullLogger<ServerModels>.Instance);
        return await new ApiRequest(http, models, options, new RouteEntry { Status = EntryStatus.Supported, Fields = s_fields }).ReadAsync();
    }
}
