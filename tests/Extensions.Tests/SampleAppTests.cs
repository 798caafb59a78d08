using System.Net;
using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;

namespace ManagedTransformers.Extensions.Tests;

/// <summary>The apps of samples/Apps, run from the repository's root.</summary>
public sealed class SampleAppTests : DocumentTest
{
    [Test]
    public async Task The_web_api_embeds_fills_masks_streams_and_says_that_it_is_well()
    {
        await using WebApplicationFactory<Program> factory = new();
        await using WebApplicationFactory<Program> app = factory.WithWebHostBuilder(host =>
            host.UseContentRoot(Path.Combine(RepositoryRoot.Path, "samples", "Apps", "WebApi")));
        using HttpClient client = app.CreateClient();

        float[][] vectors = (await (await client.PostAsJsonAsync("/embed", new[] { "sort a list", "def f(): pass" })).Content.ReadFromJsonAsync<float[][]>())!;
        Assert.That(vectors.Select(vector => vector.Length), Is.EqualTo(new[] { 256, 256 }));
        Assert.That(Math.Sqrt(vectors[0].Sum(x => (double)x * x)), Is.EqualTo(1).Within(1e-5));

        HttpResponseMessage filled = await client.PostAsJsonAsync("/fill", new { text = "public static <mask> set(string $key, $value) {" });
        JsonElement fills = await filled.Content.ReadFromJsonAsync<JsonElement>();
        Assert.That((fills.GetArrayLength(), fills[0].GetProperty("tokenText").GetString()), Is.EqualTo((3, " function")));

        string stream = await (await client.PostAsJsonAsync("/complete", new { text = "def hello_world():" })).Content.ReadAsStringAsync();
        string written = string.Concat(
            stream.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => line["data: ".Length..]));
        Assert.That(written, Does.Contain("Print hello world"));

        HttpResponseMessage refused = await client.PostAsJsonAsync("/fill", new { text = "no mask" });
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        HttpResponseMessage noText = await client.PostAsJsonAsync("/embed", new[] { "a", null });
        Assert.That(noText.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(await noText.Content.ReadAsStringAsync(), Does.Contain("Text 1 is null"));
        Assert.That(await refused.Content.ReadAsStringAsync(), Does.Contain("The text has no mask."));

        Assert.That(await client.GetStringAsync("/health"), Is.EqualTo("Healthy"));
    }

    [Test]
    public void The_worker_finds_the_code_of_this_repository_that_a_sentence_describes()
    {
        string[] lines = Run("ManagedTransformers.Samples.FolderSearch", "--Folder", "src/Tokenizers/Normalizers", "--Query", "Lower case");
        Assert.That(lines[0], Does.Match("^[0-9]+ parts of src/Tokenizers/Normalizers; nearest to \"Lower case\":$"));
        Assert.That(lines, Has.Length.EqualTo(4));
        Assert.That(lines[1..], Has.Some.Contains("Lower"));
    }

    [Test]
    public void The_kernel_puts_what_it_found_into_the_prompt_and_the_model_goes_on()
    {
        string text = string.Join('\n', Run("ManagedTransformers.Samples.KernelRetrieval"));
        Assert.That(text, Does.StartWith("def load(path):\n    with open(path) as file:\n        return file.read()\n\n\ndef read_lines(path):\n    "));
    }

    /// <summary>Runs an app in this process, and gives the lines that it prints.</summary>
    private string[] Run(string assembly, params string[] arguments)
    {
        object? result = Assembly.Load(assembly).EntryPoint!.Invoke(null, [arguments]);
        (result as Task)?.GetAwaiter().GetResult();
        return Output.ToString().TrimEnd().Split('\n');
    }
}
