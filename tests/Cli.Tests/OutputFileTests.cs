using System.Diagnostics;

namespace ManagedTransformers.Cli.Tests;

/// <summary>Where commands write to what an option names: links are followed, and nothing but an ordinary file is replaced.</summary>
[TestFixture]
internal sealed class OutputFileTests
{
    private static readonly string Llama = Folders.Case("llama-bf16-sharded"), Code = Path.Combine(Folders.Repository, "models", "demo-codegen");

    private static readonly string[][] Writers =
    [
        ["explain", "x = 1", "--model", Code, "--force", "--out"],
        ["trace", "--ids", "1,2", "--model", Llama, "--force", "--out"],
        ["forward", "--model", Llama, "--inputs", Path.Combine(Llama, "expected.safetensors"), "--output"],
        ["generate", "x = 1", "--model", Code, "--max-new-tokens", "2", "--session"],
    ];

    private string _scratch = "";

    [SetUp]
    public void Make() => _scratch = Folders.Scratch();

    [TestCaseSource(nameof(Writers))]
    public void A_pipe_stays_a_pipe(params string[] command)
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Windows has no named files that are pipes.");
        string pipe = Path.Combine(_scratch, "pipe");
        using (Process made = Process.Start("mkfifo", pipe)) made.WaitForExit();
        MtxRun run = MtxRun.Of([.. command, pipe]);
        Assert.That((run.ExitCode, run.Error),
            Is.EqualTo((3, $"mtx: {command[^1]} {pipe} is a device or a pipe, which a file would replace. Write to an ordinary file.\n")));
        Assert.That(Directory.GetFileSystemEntries(_scratch), Is.EqualTo(new[] { pipe }));
    }

    [TestCaseSource(nameof(Writers))]
    public void A_directory_and_a_missing_one_are_refused(params string[] command)
    {
        foreach (string name in new[] { _scratch, _scratch + "/", Path.Combine(_scratch, "none/") })
            Assert.That(Refused(name), Is.EqualTo((3, $"mtx: {command[^1]} {name} names a directory; the name of a file is needed. Add one.\n")));
        Assert.That(Refused(""), Is.EqualTo((2, $"mtx: {command[^1]} is empty; a name is needed. See mtx {command[0]} --help.\n")));
        MtxRun run = MtxRun.Of([.. command, Path.Combine(_scratch, "none", "file")]);
        Assert.That((run.ExitCode, run.Error),
            Is.EqualTo((3, $"mtx: {command[^1]} {Path.Combine(_scratch, "none", "file")}: there is no directory {Path.Combine(_scratch, "none")}. "
                + "Create it first.\n")));

        (int, string) Refused(string name) => MtxRun.Of([.. command, name]) is { ExitCode: int code, Error: string error } ? (code, error) : default;
    }

    [Test]
    public void A_file_that_came_into_being_meanwhile_is_named_with_what_to_do()
    {
        string path = Path.Combine(_scratch, "file");
        var file = new OutputFile("--out", path, force: false);
        Assert.That(
            () => file.Write(to =>
            {
                File.WriteAllText(to, "another's");
                PendingFile.Write(to, "mine"u8, overwrite: false);
            }),
            Throws.InstanceOf<IOException>().With.Message
                .EqualTo($"--out {path} came into being while this command ran. Choose another name, or pass --force to replace it."));
        Assert.That(File.ReadAllText(path), Is.EqualTo("another's"));
    }

    [TestCaseSource(nameof(Writers))]
    public void A_link_stays_a_link(params string[] command)
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Windows makes links only with a right to.");
        string link = Path.Combine(_scratch, "link"), file = Path.Combine(_scratch, "file");
        File.CreateSymbolicLink(link, "file");
        for (int i = 0; i < 2; i++)                            // a link to nothing, and to a file
        {
            MtxRun run = MtxRun.Of([.. command, link]);
            Assert.That(run.ExitCode, Is.Zero, run.Error);
            Assert.That(new FileInfo(link).LinkTarget, Is.EqualTo("file"));
            Assert.That(new FileInfo(file).Length, Is.Positive);
            Assert.That(Directory.GetFileSystemEntries(_scratch), Has.Length.EqualTo(2));
        }
    }

    [Test]
    public void Samples_are_not_added_to_a_pipe()
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Windows has no named files that are pipes.");
        string pipe = Path.Combine(_scratch, "pipe"), problems = Path.Combine(_scratch, "problems");
        File.WriteAllText(problems, """{"task_id": "a", "prompt": "def add(a, b):\n"}""");
        using (Process made = Process.Start("mkfifo", pipe)) made.WaitForExit();
        MtxRun run = MtxRun.Of("sample", "--problems", problems, "--model", Code, "--out", pipe);
        Assert.That((run.ExitCode, run.Error),
            Is.EqualTo((3, $"mtx: --out {pipe} is a device or a pipe, which a file would replace. Write to an ordinary file.\n")));
    }
}
