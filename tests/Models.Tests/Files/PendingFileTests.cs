using System.Diagnostics;

namespace ManagedTransformers.Models.Tests;

/// <summary>How files get their names: whole, through links, past what killed processes left. tests/Cli.Tests/CrashPoints kills at every call.</summary>
[TestFixture]
public class PendingFileTests
{
    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void CreateDirectory() => _directory = new TemporaryDirectory();

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [Test]
    public void The_old_content_is_there_until_the_new_one_is_published()
    {
        _directory.Add("x", "old"u8);
        using (var file = new PendingFile(_directory["x"]))
        {
            file.Stream.Write("new"u8);
            file.Complete();
            Assert.That(File.ReadAllText(_directory["x"]), Is.EqualTo("old"));
            Assert.That(Path.GetFileName(file.TemporaryPath), Does.Match(@"^\.x\.[^.]{8}\.unfinished$"));
            file.Publish();
        }
        Assert.That(Names(), Is.EqualTo(new[] { "x" }));
        Assert.That(File.ReadAllText(_directory["x"]), Is.EqualTo("new"));
    }

    [Test]
    public void What_is_not_published_is_removed()
    {
        using (var file = new PendingFile(_directory["x"])) file.Stream.Write("new"u8);
        Assert.That(Names(), Is.Empty);
    }

    [Test]
    public void A_file_that_may_not_be_replaced_stays()
    {
        _directory.Add("x", "old"u8);
        Assert.That(() => PendingFile.Write(_directory["x"], "new"u8, overwrite: false), Throws.InstanceOf<IOException>());
        Assert.That((File.ReadAllText(_directory["x"]), Names()), Is.EqualTo(("old", new[] { "x" })));
    }

    [Test]
    public void A_link_stays_and_the_file_that_it_names_is_replaced([Values] bool dangling)
    {
        Directory.CreateDirectory(_directory["data"]);
        if (!dangling) _directory.Add("data/x", "old"u8);
        Link(_directory["link"], "data/x");
        PendingFile.Write(_directory["link"], "new"u8);
        Assert.That(new FileInfo(_directory["link"]).LinkTarget, Is.EqualTo("data/x"));
        Assert.That(File.ReadAllText(_directory["data/x"]), Is.EqualTo("new"));
        Assert.That(Directory.GetFileSystemEntries(_directory["data"]), Has.Length.EqualTo(1));
    }

    [Test]
    public void Links_in_a_circle_are_refused()
    {
        Link(_directory["a"], "b");
        Link(_directory["b"], "a");
        Assert.That(() => PendingFile.Write(_directory["a"], "new"u8), Throws.InstanceOf<IOException>().With.Message.Contains("more than 40 symbolic links"));
    }

    [Test]
    [Platform(Exclude = "Win")]
    public void The_new_file_has_the_permissions_of_the_one_that_it_replaces()
    {
        if (OperatingSystem.IsWindows()) return;
        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        _directory.Add("x", "old"u8);
        File.SetUnixFileMode(_directory["x"], Private);
        PendingFile.Write(_directory["x"], "new"u8);
        Assert.That(File.GetUnixFileMode(_directory["x"]), Is.EqualTo(Private));
    }

    [Test]
    public void Devices_are_told_from_files_by_what_they_are()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("statx is a call of Linux.");
        File.WriteAllText(_directory["file"], "");
        File.CreateSymbolicLink(_directory["link"], "/dev/null");
        Assert.That(new[] { _directory["file"], _directory["link"], _directory["none"] }.Select(SystemCalls.IsOrdinaryFile),
            Is.EqualTo(new bool?[] { true, false, null }));
    }

    [Test]
    public void A_pipe_is_refused_and_stays_one()
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Windows has no named files that are pipes.");
        using (Process made = Process.Start("mkfifo", _directory["pipe"])) made.WaitForExit();
        Assert.That(() => PendingFile.Write(_directory["pipe"], "new"u8), Throws.InstanceOf<IOException>()
            .With.Message.EqualTo($"{_directory["pipe"]} is a device or a pipe, which a file would replace. Write to an ordinary file."));
        Assert.That(Names(), Is.EqualTo(new[] { "pipe" }));
    }

    [Test]
    public void What_a_killed_process_left_of_the_same_file_is_removed_and_nothing_else()
    {
        string[] others = [".x.unfinished", ".y.abcdefgh.unfinished", "x.abcdefgh.unfinished", "x.abcdefgh.tmp"];
        foreach (string other in others) _directory.Add(other, "other"u8);
        _directory.Add(".x.abcdefgh.unfinished", "left"u8);
        using var runs = new PendingFile(_directory["x"]);           // removes it, and is removed by none that follow
        runs.Stream.Write("1"u8);
        PendingFile.Write(_directory["x"], "2"u8);
        Assert.That(Names(), Is.EquivalentTo([.. others, "x", Path.GetFileName(runs.TemporaryPath)]));
        runs.Complete();
        PendingFile.Write(_directory["x"], "3"u8);
        runs.Publish();
        Assert.That(File.ReadAllText(_directory["x"]), Is.EqualTo("1"));
        Assert.That(Names(), Is.EquivalentTo([.. others, "x"]));
    }

    [Test]
    public void A_name_of_any_length_and_with_wildcards_can_be_written()
    {
        string wide = string.Concat(Enumerable.Repeat("長", 80)), cut = new string('e', 63) + "😀" + new string('e', 90);
        foreach (string name in new[] { new string('n', 240), wide, cut, "*[a]?" })
        {
            PendingFile.Write(_directory[name], "1"u8);
            PendingFile.Write(_directory[name], "2"u8);
            Assert.That((Names(), File.ReadAllText(_directory[name])), Is.EqualTo((new[] { name }, "2")));
            File.Delete(_directory[name]);
        }
    }

    private string[] Names() => [.. Directory.GetFileSystemEntries(_directory.Path).Select(path => Path.GetFileName(path))];

    private static void Link(string path, string target)
    {
        try
        {
            File.CreateSymbolicLink(path, target);
        }
        catch (Exception e) when (OperatingSystem.IsWindows() && e is IOException or UnauthorizedAccessException)
        {
            Assert.Ignore("Windows makes links only with a right to.");
        }
    }
}
